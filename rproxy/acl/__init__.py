"""Users and what they may do: Redis's access control lists, over users of the configuration."""
