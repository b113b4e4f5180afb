"""The configuration file: its models, its loader and its errors."""
