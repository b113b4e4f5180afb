"""Which cluster a key belongs to, and how a command is split and its replies assembled."""
