"""From a client's command to the requests that answer it.

The fast path takes a command whose keys stand at fixed positions and share a slot: looked up, hashed and appended to
the endpoint's connection as the bytes that came. All else becomes a ``Command`` and is handled by its plan.
"""

from __future__ import annotations

from collections.abc import Callable

from rproxy.commands.catalog import HTTP
from rproxy.commands.lookup import CommandError, check_arity, resolve
from rproxy.commands.spec import CommandSpec
from rproxy.dispatch.client_options import sink_of
from rproxy.dispatch.command import Command, refusal
from rproxy.dispatch.context import Context
from rproxy.dispatch.fragments import Fragments
from rproxy.dispatch.gates import stop
from rproxy.dispatch.questions import serve_questions
from rproxy.dispatch.route import BoundRoute
from rproxy.dispatch.session import Session
from rproxy.dispatch.split import copy_fragments, send_fragments
from rproxy.dispatch.split_reply import SplitReply
from rproxy.dispatch.upload import Upload, begin_upload
from rproxy.dispatch.whole import handle_whole
from rproxy.resp.wire import RequestScanner
from rproxy.upstream.sink import Sink

SLOW = 16
"""What a command costs that leaves the fast path, beside its arguments; one on the fast path costs 1."""
_SLOW = SLOW


class Dispatcher:
    """The dispatcher of one listener."""

    __slots__ = ("_commands", "_counts", "_only_route", "context")

    def __init__(self, context: Context) -> None:
        self.context = context
        self._commands = context.commands
        self.renew()
        context.pause.carry_on = self.carry_on

    def renew(self) -> None:
        """The context has other routes or settings."""
        self._counts = self.context.counts_commands
        self._only_route = self.context.only_route
        serve_questions(self.context)

    # -- the fast path

    def dispatch(self, session: Session, sink: Sink, token: int, scanner: RequestScanner) -> int:
        """Have the scanned command answered at place ``token`` of ``sink``.

        What it cost, roughly, in commands of the fast path: by this clients get equal shares of a turn.
        """
        spec: CommandSpec | None = scanner.find(self._commands)
        session.last_command = spec
        if spec is not None and spec.has_fixed_keys:
            cost = self._send_directly(spec, session, sink, token, scanner)
            if cost:
                return cost
        cost = _SLOW + scanner.argc
        self._dispatch_slowly(spec, session, sink, token, scanner)
        return cost

    def upload(
        self, session: Session, sink: Sink, open_place: Callable[[], int], scanner: RequestScanner
    ) -> Upload | None:
        """Hand on the large command that is being scanned as it comes; ``None`` if it has to be there whole."""
        return begin_upload(self.context, session, sink, open_place, scanner)

    def _send_directly(
        self, spec: CommandSpec, session: Session, sink: Sink, token: int, scanner: RequestScanner
    ) -> int:
        """Take the fast path: what it cost, or 0 if something stands in its way."""
        if not spec.least <= scanner.argc <= spec.most:
            return 0
        if not session.is_plain and not self._is_allowed(spec, session, scanner):
            return 0
        route = self._only_route
        if route is None:
            route = self._route_of(spec, scanner)
        if route is None or not route.is_direct:
            return 0
        if spec.is_plain:
            slot = scanner.slot(spec.first_key)
        else:
            slot = scanner.common_slot(spec.first_key, spec.last_key_of(scanner.argc), spec.key_step)
        if slot < 0:
            return self._send_split(route, spec, session, sink, token, scanner) if spec.is_split else 0
        cluster = route.cluster
        connection = cluster.connection_for(slot, spec.is_read, session.affinity)
        if connection is None:
            return 0
        base = scanner.base
        stats = cluster.stats_of(spec) if self._counts else None
        connection.send(scanner.chunk, base, base + scanner.size, sink, token, stats, slot, spec.is_read)
        if route.mirrors:
            self._copy_to_mirrors(route, spec, scanner, slot)
        return 1

    def _is_allowed(self, spec: CommandSpec, session: Session, scanner: RequestScanner) -> bool:
        """Whether nothing but a user's rules stands in the way, and these clearly allow the command."""
        if not session.is_only_restricted:
            return False
        matcher = session.user.root.shortcut(spec)
        if matcher is None:
            return False
        position = spec.first_key
        last = spec.last_key_of(scanner.argc)
        while position <= last:
            if matcher.fullmatch(scanner.arg(position)) is None:
                return False
            position += spec.key_step
        return True

    def _send_split(
        self, route: BoundRoute, spec: CommandSpec, session: Session, sink: Sink, token: int, scanner: RequestScanner
    ) -> int:
        """Send a command to each of its slots: what it cost, or 0 if no whole groups of a key and what follows it."""
        if (scanner.argc - spec.first_key) % spec.key_step:
            return 0
        cluster = route.cluster
        stats = cluster.stats_of(spec) if self._counts else None
        fragments = Fragments(spec, scanner)
        reply = SplitReply(spec.response_policy, fragments, sink, token, stats, cluster.turn, session)
        send_fragments(cluster, spec, scanner, fragments, reply, session.affinity)
        if route.mirrors:
            self._copy_to_mirrors(route, spec, scanner, -1)
        return fragments.keys

    def _route_of(self, spec: CommandSpec, scanner: RequestScanner) -> BoundRoute | None:
        """The route of a command with fixed keys; ``None`` where the slow path has to look closer."""
        if not spec.is_plain:
            return None
        return self.context.route_of(scanner.arg(spec.first_key))

    def _copy_to_mirrors(self, route: BoundRoute, spec: CommandSpec, scanner: RequestScanner, slot: int) -> None:
        """Copy the scanned command to the route's mirrors; ``slot`` is -1 if it has keys in several."""
        for mirror in route.mirrors:
            if not mirror.wants(spec):
                continue
            if slot >= 0 or mirror.cluster.is_single:
                mirror.copy(spec, scanner.chunk, scanner.base, scanner.base + scanner.size, max(slot, 0))
            else:
                copy_fragments(mirror, spec, scanner, Fragments(spec, scanner))

    # -- the rest

    def _dispatch_slowly(
        self, spec: CommandSpec | None, session: Session, sink: Sink, token: int, scanner: RequestScanner
    ) -> None:
        args = scanner.args()
        if not session.is_plain:
            sink = sink_of(session, sink)
        try:
            if spec is None or spec.subcommands is not None:
                spec = resolve(self._commands, args)
            check_arity(spec, len(args))
        except CommandError as refused:
            if spec is None and args[0].upper() in HTTP:
                _turn_away(session, sink, token)
                return
            if spec is None:
                self.context.catalog.miss()
            line = refusal(spec, session, refused.line)
            sink.deliver(token, line, 0, len(line))
            return
        session.last_command = spec
        start = scanner.base
        data = bytes(scanner.chunk[start : start + scanner.size])
        command = Command(spec, args, data, session, sink, token)
        self.carry_on(command)

    def carry_on(self, command: Command) -> None:
        """Take a command to its gates, and to its plan."""
        if command.session.is_plain or not stop(command, self.context):
            handle_whole(command, self.context)


def _turn_away(session: Session, sink: Sink, token: int) -> None:
    """Close a client that speaks HTTP, without a word, as ``securityWarningCommand`` in Redis's ``server.c`` does."""
    if session.client is not None:
        session.client.on_no_resp()
    session.quit()
    sink.deliver(token, b"", 0, 0)
