"""The listeners of a worker: opened, renewed and let go as its configuration says."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable

from rproxy.config.access import users_of
from rproxy.config.changes import kept_listeners, kept_sockets
from rproxy.config.models import Config, ListenerConfig
from rproxy.dispatch.authentication import renew
from rproxy.dispatch.context import Context
from rproxy.dispatch.dispatcher import Dispatcher
from rproxy.dispatch.pubsub import follow_routes, may_hear
from rproxy.downstream.balance import Balance
from rproxy.downstream.listener import Listener
from rproxy.server.binding import Bound, ClusterOf, bind
from rproxy.server.parameters import parameters_of
from rproxy.server.succession import generation
from rproxy.topology.snapshot import Endpoint
from rproxy.transport.connection import Turn

EARLY_MOST = 1024
"""Clients, handed over by workers that know a listener already, that wait until it is known here."""
IDS_OF_A_GENERATION = 10**10
"""Client ids that one program has, before those of its successor begin: a client that is handed over keeps its own."""
MOVE_EVERY = 0.25
"""Seconds between two looks at which subscriptions come from where the routes do not lead any more."""

Sockets = dict[str, socket.socket]
"""Listening sockets by the name of their listener."""
MakeContext = Callable[[ListenerConfig, Bound], Context]


class Listeners:
    """``active`` are those of the configuration, ``leaving`` those that are no more and have clients yet."""

    def __init__(
        self,
        config: Config,
        sockets: Sockets,
        turn: Turn,
        make_context: MakeContext,
        worker_id: int,
        balance: Balance | None,
    ) -> None:
        self.active: list[Listener] = []
        self.leaving: list[Listener] = []
        self._config = config
        self._sockets = sockets
        self._turn = turn
        self._make_context = make_context
        self._balance = balance
        first_id = generation() * IDS_OF_A_GENERATION + 1 + worker_id
        self._client_ids = itertools.count(first_id, max(config.workers, 1))
        self._early: list[tuple[str, socket.socket]] = []
        self._leave_by = 0.0
        self._moving_until = 0.0
        self._move_at = 0.0

    @property
    def all(self) -> list[Listener]:
        """The active and the leaving ones."""
        return [*self.active, *self.leaving]

    def has_clients(self) -> bool:
        """Whether any client is left."""
        return any(listener.connections for listener in self.all)

    def make(self, cluster_of: ClusterOf) -> None:
        """Make the listeners; they do not accept yet."""
        self.active = [self._make(settings, cluster_of) for settings in self._config.listeners]

    def open(self) -> None:
        """Accept clients, also those that came early."""
        for listener in self.active:
            listener.open()
        early, self._early = self._early, []
        for name, sock in early:
            self.adopt(name, sock)

    def _make(self, settings: ListenerConfig, cluster_of: ClusterOf) -> Listener:
        context = self._make_context(settings, bind(settings, cluster_of))
        context.users = users_of(settings.redis_proxy)
        next_id: Callable[[], int] = self._client_ids.__next__
        sock = self._sockets[settings.name]
        listener = Listener(settings, sock, Dispatcher(context), self._turn, next_id, self._balance)
        self._settle_context(listener)
        return listener

    def _settle_context(self, listener: Listener) -> None:
        """Have the context of a listener as its settings say, its users aside."""
        settings, context = listener.settings, listener.dispatcher.context
        proxy, announce, workers = settings.redis_proxy, settings.cluster_announce, max(self._config.workers, 1)
        context.counts_commands = proxy.settings.enable_command_stats
        context.settings = proxy.settings
        context.max_clients = settings.limits.max_clients * workers
        context.max_subscriptions = settings.limits.max_subscriptions_per_client
        context.cluster_announce = Endpoint.parse(announce) if announce is not None else None
        context.crew.listener = settings.name
        context.parameters.update(parameters_of(listener, workers))
        listener.dispatcher.renew()

    def find(self, name: str) -> Listener | None:
        """The listener of this name, which is that of a reload that is still under way elsewhere, or of before."""
        return next((listener for listener in self.active if name in (listener.name, listener.former_name)), None)

    def stop_accepting(self) -> None:
        """Accept nobody more; others accept at the sockets."""
        for listener in self.active:
            listener.stop_accepting()

    def adopt(self, name: str, sock: socket.socket) -> None:
        """Serve a client that another worker accepted, perhaps at a listener that a reload has yet to bring here."""
        found = self.find(name)
        if found is not None:
            found.adopt(sock)
        elif len(self._early) < EARLY_MOST and all(name != listener.name for listener in self.leaving):
            self._early.append((name, sock))
        else:
            sock.close()

    # -- another configuration

    def renew(self, config: Config, sockets: Sockets, cluster_of: ClusterOf) -> None:
        """Be as ``config`` says: listeners that stay keep their clients, those that go let them finish.

        ``sockets`` are those of listeners that need new ones.
        """
        old, self._config = self._config, config
        before = self._sockets
        self._sockets = {name: before[had] for name, had in kept_sockets(old, config).items()} | sockets
        kept = kept_listeners(old, config)
        by_name = {listener.name: listener for listener in self.active}
        for name in by_name.keys() - set(kept.values()):
            by_name[name].finish(keeps_socket=True)
            self.leaving.append(by_name[name])
        self.active = [
            self._renewed(by_name[kept[settings.name]], settings, cluster_of)
            if settings.name in kept
            else self._make(settings, cluster_of)
            for settings in config.listeners
        ]
        in_use = set(map(id, self._sockets.values()))
        for sock in before.values():
            if id(sock) not in in_use:
                sock.close()
        self.open()
        now = self._turn.tick()
        self._leave_by = now + config.drain_timeout
        timeouts = [listener.redis_proxy.settings.op_timeout for listener in (*old.listeners, *config.listeners)]
        self._moving_until, self._move_at = now + 2 * max(timeouts), 0.0

    def _renewed(self, listener: Listener, settings: ListenerConfig, cluster_of: ClusterOf) -> Listener:
        context = listener.dispatcher.context
        bound = bind(settings, cluster_of, list(context.bound.values()))
        context.routes, context.bound = bound.table, bound.routes
        old = listener.settings
        if settings != old:
            listener.reconfigure(settings)
        listener.move(self._sockets[settings.name])
        self._settle_context(listener)
        if settings.redis_proxy != old.redis_proxy:
            self._renew_users(listener)
        return listener

    def _renew_users(self, listener: Listener) -> None:
        context = listener.dispatcher.context
        before, context.users = context.users, users_of(listener.settings.redis_proxy)
        for connection in list(listener.connections):
            session = connection.session
            if not (renew(session, before, context.users) and may_hear(session, context)):
                connection.finish()

    # -- as long as the worker lives

    def tick(self, now: float) -> None:
        """The janitor's round."""
        for listener in self.active:
            listener.tick(now)
        if self._moving_until and now >= self._move_at:
            self._move_at = now + MOVE_EVERY
            self._move_subscriptions(now)
        if self.leaving:
            self._let_leave(now)

    def _move_subscriptions(self, now: float) -> None:
        """Have subscriptions come from where the routes lead: those too that were on their way at the reload."""
        missing = 0
        for listener in self.active:
            context = listener.dispatcher.context
            missing += sum(follow_routes(connection.session, context) for connection in listener.connections)
        if not missing and now > self._moving_until:
            self._moving_until = 0.0

    def _let_leave(self, now: float) -> None:
        """Forget the listeners whose last client has gone, or has taken too long."""
        if now > self._leave_by:
            for listener in self.leaving:
                listener.close()
        self.leaving = [listener for listener in self.leaving if listener.connections]

    async def drain(self, seconds: float) -> bool:
        """Refuse new clients and let the others finish; true if the last has left within ``seconds``."""
        for listener in self.active:
            listener.finish()
        for _, sock in self._early:
            sock.close()
        deadline = self._turn.tick() + seconds
        while self.has_clients() and self._turn.tick() < deadline:
            await asyncio.sleep(0.01)
        return not self.has_clients()

    def close(self) -> None:
        """Close every client at once."""
        for listener in self.all:
            listener.close()
