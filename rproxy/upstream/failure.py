"""Every way a request can fail inside the proxy: whose fault, whether it may be retried, and what the client is told.

Pure: what happened goes in, a row comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rproxy.resp import encode


class Fault(Enum):
    """On whose side the failure lies."""

    CLIENT = "client"
    UPSTREAM = "upstream"
    PROXY = "proxy"


class Retry(Enum):
    """When a request may be sent again."""

    NEVER = "never"
    IF_UNWRITTEN = "if not yet written"
    IF_READ = "if not yet written, or a read"


@dataclass(frozen=True, slots=True)
class Failure:
    """A row: ``label`` names it in metrics; ``text`` is the error, with ``{place}`` and ``{reason}`` to fill."""

    label: str
    fault: Fault
    retry: Retry
    text: str

    def line(self, place: str = "", reason: str = "") -> bytes:
        """The error line for the client."""
        return encode.error(self.text.format(place=place, reason=reason))

    def may_retry(self, was_written: bool, is_read: bool) -> bool:
        """Whether a request that met this failure may be sent again without being executed twice as a write."""
        if self.retry is Retry.NEVER:
            return False
        return not was_written or (is_read and self.retry is Retry.IF_READ)


LOST = Failure(
    "connection_lost",
    Fault.UPSTREAM,
    Retry.IF_READ,
    "ERR upstream connection to {place} was lost ({reason}) after the command was sent: it may have been executed",
)
BROKEN_OFF = Failure(
    "broken_off",
    Fault.UPSTREAM,
    Retry.NEVER,
    "ERR upstream connection to {place} was lost ({reason}) before the command was whole: it was not executed",
)
GARBAGE = Failure(
    "garbage",
    Fault.UPSTREAM,
    Retry.IF_UNWRITTEN,
    "ERR upstream {place} broke the protocol ({reason}): the command may have been executed",
)
TIMEOUT = Failure(
    "timeout",
    Fault.UPSTREAM,
    Retry.NEVER,
    "ERR upstream {place} gave no answer in time: the command may have been executed",
)
UNREACHABLE = Failure(
    "unreachable",
    Fault.UPSTREAM,
    Retry.NEVER,
    "CLUSTERDOWN no endpoint of cluster '{place}' could take the command in time ({reason}): it was not executed",
)
QUEUE_FULL = Failure(
    "queue_full",
    Fault.PROXY,
    Retry.NEVER,
    "ERR too many commands wait for cluster '{place}': this one was not executed",
)
PINS_FULL = Failure(
    "pins_full",
    Fault.PROXY,
    Retry.NEVER,
    "ERR {place}: the command was not executed (see max_pinned_connections)",
)
NO_TOPOLOGY = Failure(
    "no_topology",
    Fault.UPSTREAM,
    Retry.NEVER,
    "CLUSTERDOWN the topology of cluster '{place}' is not known yet",
)
UNSERVED_SLOT = Failure("unserved_slot", Fault.UPSTREAM, Retry.NEVER, "CLUSTERDOWN Hash slot not served")
NO_ROUTE = Failure("no_route", Fault.CLIENT, Retry.NEVER, "ERR no route for this key: no prefix matches")

FAILURES = (
    LOST,
    BROKEN_OFF,
    GARBAGE,
    TIMEOUT,
    UNREACHABLE,
    QUEUE_FULL,
    PINS_FULL,
    NO_TOPOLOGY,
    UNSERVED_SLOT,
    NO_ROUTE,
)
"""All rows."""
