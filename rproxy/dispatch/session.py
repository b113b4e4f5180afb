"""What is remembered of one client."""

from __future__ import annotations


class Session:
    """The state of one client that outlives a command.

    ``protocol`` is the RESP version it speaks, 2 or 3; ``affinity`` picks its connection in every pool (see
    ``upstream.pool``). ``is_plain`` says that no state changes what its commands mean, so they may take the fast path.
    ``created`` is a Unix time in seconds.
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
        "protocol",
    )

    def __init__(self, number: int, address: str, local_address: str, created: float) -> None:
        self.id = number
        self.affinity = 0
        self.protocol = 0
        self.speak(2)
        self.address = address
        self.local_address = local_address
        self.created = created
        self.is_plain = True
        self.is_quitting = False
        self.name = b""
        self.library_name = b""
        self.library_version = b""

    def speak(self, protocol: int) -> None:
        """Speak RESP version ``protocol`` from now on."""
        self.protocol = protocol
        self.affinity = self.id * 2 + (protocol == 3)
