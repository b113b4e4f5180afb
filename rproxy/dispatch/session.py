"""What is remembered of one client."""

from __future__ import annotations


class Session:
    """The state of one client that outlives a command.

    ``affinity`` picks its connection in every pool. ``is_plain`` says that no state changes what its commands mean, so they
    may take the fast path. ``created`` is a Unix time in seconds.
    """

    __slots__ = (
        "address",
        "affinity",
        "created",
        "id",
        "is_plain",
        "is_quitting",
        "library_name",
        "library_version",
        "local_address",
        "name",
    )

    def __init__(self, number: int, address: str, local_address: str, created: float) -> None:
        self.id = number
        self.affinity = number
        self.address = address
        self.local_address = local_address
        self.created = created
        self.is_plain = True
        self.is_quitting = False
        self.name = b""
        self.library_name = b""
        self.library_version = b""
