"""One row of the command table: what a command is to a proxy.

The words follow the Redis documentation: arity, key positions, and the request and response policies of the *command
tips* (https://redis.io/docs/latest/develop/reference/command-tips/).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, IntEnum


class Access(Enum):
    """What a command does to the data. Always stated in its row, never inferred."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    LOCAL = "local"


class RequestPolicy(Enum):
    """Which nodes a command is sent to (Redis command tip ``request_policy``)."""

    ONE = "one"
    ALL_NODES = "all_nodes"
    ALL_SHARDS = "all_shards"
    MULTI_SHARD = "multi_shard"
    SPECIAL = "special"


class ResponsePolicy(Enum):
    """How the replies of several nodes become one (Redis command tip ``response_policy``)."""

    FIRST = "first"
    ONE_SUCCEEDED = "one_succeeded"
    ALL_SUCCEEDED = "all_succeeded"
    AGG_LOGICAL_AND = "agg_logical_and"
    AGG_LOGICAL_OR = "agg_logical_or"
    AGG_MIN = "agg_min"
    AGG_MAX = "agg_max"
    AGG_SUM = "agg_sum"
    CONCATENATE = "concatenate"
    SPECIAL = "special"


class Transaction(Enum):
    """What a command does between MULTI and EXEC."""

    QUEUE = "queue"
    IMMEDIATE = "immediate"
    REFUSE = "refuse"


class Plan(IntEnum):
    """How the dispatcher handles a command; follows from the other columns of its row."""

    PLAIN = 0
    """One key at a fixed position: forwarded as the bytes that came."""
    KEYED = 1
    """Several keys or moving ones: forwarded whole if they share a slot, else ``CROSSSLOT``. No key: any primary."""
    SPLIT = 2
    """Cut into one fragment per slot (MGET, MSET, DEL, UNLINK, EXISTS, TOUCH)."""
    FAN_OUT = 3
    """Sent to every shard or node, the replies become one."""
    LOCAL = 4
    """Answered by rproxy itself."""
    UNSUPPORTED = 5
    """Refused with ``refusal``."""


KeyFinder = Callable[[Sequence[bytes]], Sequence[int]]
"""The positions of the keys in a command's arguments (0 is the command name). Raises ``ValueError`` where they make no
sense (a numkeys that is no number or too large): the server itself is then the one to word the error."""


UNLIMITED = 1 << 62
"""The most arguments of a command whose arity is a least number."""


class CommandSpec:
    """A row of the command table. Immutable by convention; compiled into a plain structure for the data path.

    ``least`` and ``most`` are the numbers of arguments that the arity allows, the name included.
    ``first_key``, ``last_key`` and ``key_step`` are COMMAND's (``last_key`` negative counts from the end, 0 for no
    key). ``find_keys`` is given instead where positions move (numkeys, STREAMS, STORE). Only a command that ``is_read``
    may go to a replica; one that ``is_write`` is what mirrors copy; an admin command is neither. A container
    (``OBJECT``, ``SCRIPT``) has ``subcommands`` by upper-case name; its own row answers for unknown ones.
    """

    __slots__ = (
        "access",
        "arity",
        "find_keys",
        "first_key",
        "flags",
        "has_fixed_keys",
        "index",
        "is_plain",
        "is_read",
        "is_split",
        "is_write",
        "key_step",
        "last_key",
        "least",
        "most",
        "name",
        "plan",
        "refusal",
        "request_policy",
        "response_policy",
        "subcommands",
        "transaction",
    )

    def __init__(
        self,
        name: bytes,
        arity: int,
        access: Access,
        *,
        plan: Plan,
        first_key: int = 0,
        last_key: int = 0,
        key_step: int = 0,
        find_keys: KeyFinder | None = None,
        request_policy: RequestPolicy = RequestPolicy.ONE,
        response_policy: ResponsePolicy = ResponsePolicy.FIRST,
        transaction: Transaction = Transaction.QUEUE,
        refusal: str | None = None,
        flags: frozenset[str] = frozenset(),
        subcommands: dict[bytes, CommandSpec] | None = None,
        index: int = 0,
    ) -> None:
        self.name = name
        self.arity = arity
        self.least = abs(arity)
        self.most = arity if arity >= 0 else UNLIMITED
        self.access = access
        self.plan = int(plan)
        self.first_key = first_key
        self.last_key = last_key
        self.key_step = key_step
        self.find_keys = find_keys
        self.request_policy = request_policy
        self.response_policy = response_policy
        self.transaction = transaction
        self.refusal = refusal
        self.flags = flags
        self.subcommands = subcommands
        self.index = index
        is_forwarded = plan in (Plan.PLAIN, Plan.KEYED, Plan.SPLIT) and "blocking" not in flags
        self.has_fixed_keys = is_forwarded and find_keys is None and first_key > 0
        self.is_plain = plan is Plan.PLAIN
        self.is_read = access is Access.READ
        self.is_split = plan is Plan.SPLIT
        self.is_write = access is Access.WRITE

    def accepts(self, argument_count: int) -> bool:
        """Whether a command of ``argument_count`` arguments (its name included) satisfies the arity."""
        return self.least <= argument_count <= self.most

    def last_key_of(self, argument_count: int) -> int:
        """The position of the last key of a command with fixed keys and ``argument_count`` arguments."""
        return self.last_key if self.last_key >= 0 else argument_count + self.last_key

    def __repr__(self) -> str:
        return f"<CommandSpec {self.name.decode()}>"
