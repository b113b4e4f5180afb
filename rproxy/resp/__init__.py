"""The Redis serialization protocol: scanning, framing and encoding of bytes."""
