"""Connections from clients: listeners, reading, and replies in order."""
