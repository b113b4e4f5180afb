"""A cluster of which one shard's nodes are announced behind relays, so that the network to them can be broken."""

from __future__ import annotations

from pathlib import Path

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.ports import free_port
from rproxy.demo.redis_process import RedisProcess
from tests.support.relay import Relay


class RelayedCluster(EmbeddedCluster):
    """The nodes of the first shard are known to clients, and to their own replicas, at the ports of ``relays``.

    What nodes tell one another about the state of the cluster does not go there: no fault of a relay fails a node.
    """

    relays: list[Relay]

    def _launch(self, directory: Path) -> list[RedisProcess]:
        self.relays = []
        self._announced: dict[int, RedisProcess] = {}
        for number in range(self._primaries * (1 + self._replicas)):
            node = self._node(directory / f"node-{number}", has_relay=number % self._primaries == 0)
            self.nodes.append(node)
            node.start()
        self._form()
        return self.nodes

    def _node(self, directory: Path, *, has_relay: bool) -> RedisProcess:
        if not has_relay:
            return RedisProcess(directory, self._arguments, is_cluster=True)
        port = free_port(with_bus=True)
        relay = Relay(port)
        relay.__enter__()
        self.relays.append(relay)
        bus = ("--cluster-announce-bus-port", str(port + 10000))
        node = RedisProcess(directory, (*self._arguments, *bus), is_cluster=True)
        node.port = port
        self._announce(node, relay)
        return node

    def _announce(self, node: RedisProcess, relay: Relay) -> None:
        """Have a node known at the port of its relay, from its next start on."""
        self._announced = {port: other for port, other in self._announced.items() if other is not node}
        self._announced[relay.port] = node
        node.arguments = (*node.arguments, "--cluster-announce-port", str(relay.port))

    def stop(self) -> None:
        """End every process and relay."""
        super().stop()
        for relay in self.relays:
            relay.__exit__(None, None, None)
        self.relays = []

    def kill(self, node: RedisProcess) -> None:
        """Kill a node. Its relay refuses connections then, as a system does where nobody listens."""
        for relay in self._relays_of(node):
            relay.stop_listening()
        node.kill()

    def revive(self, node: RedisProcess) -> None:
        """Start a node that was killed."""
        node.start()
        for relay in self._relays_of(node):
            relay.listen_again()

    def readdress(self, relay: Relay) -> None:
        """Have the node behind a relay known at another port, as if it had been started anew elsewhere.

        Its connections are reset at once, before the other nodes know.
        """
        node = next(node for node in self.nodes if node.port == relay.target)
        relay.move()
        self._announce(node, relay)
        node.call("CONFIG", "SET", "cluster-announce-port", relay.port)
        relay.reset()
        self._await("all nodes to know a new address", lambda: all(map(self._knows_all, self.nodes)))

    def _knows_all(self, node: RedisProcess) -> bool:
        ports = {endpoint[1] for _, _, *endpoints in node.call("CLUSTER", "SLOTS") for endpoint in endpoints}
        return ports <= {*self._announced, *(each.port for each in self.nodes if each not in self._announced.values())}

    def _relays_of(self, node: RedisProcess) -> list[Relay]:
        return [relay for relay in self.relays if relay.target == node.port]

    def _node_at(self, port: int) -> RedisProcess:
        return self._announced.get(port) or super()._node_at(port)
