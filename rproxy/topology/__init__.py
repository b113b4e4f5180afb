"""Who serves which hash slot: immutable snapshots and the pure decisions about them."""
