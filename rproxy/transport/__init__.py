"""Moving bytes between sockets and connections, batched per loop turn."""
