"""What becomes of a request whose reply is a redirection: it goes to where that leads, or waits, or has its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rproxy.resp import encode
from rproxy.topology.redirection import (
    ASKING,
    Redirection,
    RedirectionKind,
    classify,
    first_key_of_script,
    runs_script,
)
from rproxy.topology.snapshot import Endpoint
from rproxy.upstream.parking import TRAIL_MOST
from rproxy.upstream.request import DOUBTED, LOST_ONCE, Request
from rproxy.upstream.sink import DISCARD, MIRRORED, PROBED

if TYPE_CHECKING:
    from rproxy.upstream.cluster import Cluster
    from rproxy.upstream.connection import UpstreamConnection

HOP_LIMIT = 5
"""Redirections of one request, after which the error itself goes to the client."""
RETRY_DELAY = 0.02
RETRY_DELAY_MOST = 0.25
"""Seconds before a request is sent again after TRYAGAIN and its kin: as long as it has taken, within these bounds."""
SURE_DELAY, SURE_DELAY_MOST = 0.05, 1.0
"""The same for a script that is sent again to be sure."""
SURE_AFTER = 1.5
"""Seconds in which all nodes are to have heard of a failover."""
DOUBTS_MOST, DOUBTS_MOST_AT_FIRST = 5, 50
"""How often a script is sent again until then, if nothing hurries it, and at most."""


def follow(cluster: Cluster, request: Request, line: bytes, asked: UpstreamConnection) -> bool:
    """Follow the error ``line`` that came on ``asked`` if it is a redirection; false if it is the client's."""
    redirection = classify(line, asked.pool.endpoint) if cluster.follows_redirections else None
    if redirection is None:
        return False
    cluster.redirections[redirection.kind.value] += 1
    if cluster.refresher is not None:
        cluster.refresher.on_redirection(redirection.kind)
    cluster.retries += 1
    if redirection.kind.is_of_the_node and request.is_read:
        cluster.health.on_not_ready(asked.pool.endpoint)
    if _may_be_forged(cluster, request, redirection):
        return _wait_to_be_sure(cluster, request, line, asked)
    is_asked_in_parts = redirection.kind is RedirectionKind.ASK and request.replies > 1
    if not redirection.kind.has_target or is_asked_in_parts:
        # ASKING holds for one command, so a transaction waits until its slot has moved as a whole.
        request.answer = line
        if redirection.kind.is_passing:
            asked.doubt(request)
        cluster.park(request, min(max(RETRY_DELAY, cluster.turn.tick() - request.started), RETRY_DELAY_MOST))
        return True
    if redirection.kind is RedirectionKind.ASK and _waits_behind(cluster, request):
        cluster.park(request, 0.0)
        return True
    request.hops += 1
    if request.hops % LOST_ONCE > HOP_LIMIT:
        return False
    if request.slot < 0:
        request.slot = redirection.slot  # the node found a key where none was expected
    if redirection.kind is RedirectionKind.MOVED:
        cluster.move_slot(redirection.slot, redirection.endpoint)
        if request.sink is PROBED:
            cluster.try_again()  # the script that it was asked for, before an older topology comes from another node
        _resubmit(cluster, request, asked)
    else:
        _ask(cluster, request, redirection.endpoint)
    return True


def _waits_behind(cluster: Cluster, request: Request) -> bool:
    """Whether others of its slot wait since before: it was sent behind them, and does not overtake them by ASK."""
    return cluster.parking.holds(request.slot) and request.sink not in (MIRRORED, PROBED)


def _may_be_forged(cluster: Cluster, request: Request, redirection: Redirection) -> bool:
    """Whether a script may have made the redirection up: it would lead us, and our password, to any address."""
    if not redirection.kind.has_target or not runs_script(request.data):
        return False
    if 0 <= request.slot != redirection.slot:
        return True
    endpoint = redirection.endpoint
    return not cluster.pools.knows(endpoint) and endpoint not in cluster.topology.endpoints()


def _wait_to_be_sure(cluster: Cluster, request: Request, line: bytes, asked: UpstreamConnection) -> bool:
    """Send a script again a few times, until the topology or the answer to another command has the same node.

    It is asked for both: a node may know of a failover before those do that the topology is read from. In one, nodes
    tell different topologies for a while, and each of these has all that wait tried at once.
    """
    elapsed = cluster.turn.tick() - request.started
    request.hops += DOUBTED
    if request.hops // DOUBTED > (DOUBTS_MOST if elapsed > SURE_AFTER else DOUBTS_MOST_AT_FIRST):
        return False
    cluster.on_failure()
    key = first_key_of_script(request.data)
    if key is not None:
        data = encode.command([b"EXISTS", key])
        asked.resend(Request(data, PROBED, 0, None, request.slot, False, request.affinity, cluster.turn.now))
    request.answer = line
    cluster.park(request, min(max(SURE_DELAY, elapsed), SURE_DELAY_MOST))
    return True


def _resubmit(cluster: Cluster, request: Request, asked: UpstreamConnection) -> None:
    """Send a request to the slot's new owner, after those of the slot that the old one has still to redirect."""
    is_followed = asked.in_flight.has_slot(request.slot)
    if is_followed:
        cluster.parking.trail(request.slot, asked.in_flight, cluster.turn.tick() + TRAIL_MOST)
    if cluster.parking.holds(request.slot):
        cluster.park(request, 0.0)
        if not is_followed:
            cluster.leave_parking()
    else:
        cluster.submit(request)


def _ask(cluster: Cluster, request: Request, endpoint: Endpoint) -> None:
    """Send ``ASKING`` and the request, contiguous, to the node that imports the slot ("ASK redirection")."""
    connection = cluster.pools.get(endpoint, is_readonly=False).pick(request.affinity)
    if connection is None:
        cluster.park(request, RETRY_DELAY)
        return
    connection.send(ASKING, 0, len(ASKING), DISCARD, 0, None, -1, True)
    connection.resend(request)
