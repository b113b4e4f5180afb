"""Connections to Redis: pools, clusters, topology refreshes and their failures."""
