"""What each Redis command means to a proxy: one table row per command."""
