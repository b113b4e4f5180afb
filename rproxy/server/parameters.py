"""What CONFIG shows of a listener, and what it can change while rproxy runs."""

from __future__ import annotations

import math

from rproxy.config.models import LimitsConfig
from rproxy.dispatch.parameters import COMMON, Parameter, fixed, integer
from rproxy.downstream.listener import Listener

_MICROSECONDS_MOST = (1 << 63) - 1


def parameters_of(listener: Listener, workers: int) -> dict[bytes, Parameter]:
    """The parameters of CONFIG that are ``listener``'s, by name."""
    limits: LimitsConfig = listener.settings.limits

    def set_timeout(text: str) -> None:
        listener.idle_timeout = float(integer(text))

    logs = [cluster.slow_log for cluster in listener.dispatcher.context.clusters()]

    def slowlog_threshold() -> str:
        seconds = logs[0].slower_than
        return "-1" if seconds == math.inf else f"{seconds * 1_000_000:.0f}"

    def set_slowlog_threshold(text: str) -> None:
        microseconds = integer(text, least=-1, most=_MICROSECONDS_MOST)
        seconds = math.inf if microseconds < 0 else microseconds / 1_000_000
        for log in logs:
            log.slower_than = seconds

    def set_slowlog_length(text: str) -> None:
        for log in logs:
            log.resize(integer(text))

    return {
        **COMMON,
        b"maxclients": fixed(str(limits.max_clients * workers)),
        b"port": fixed(str(listener.settings.address.port)),
        b"proto-max-bulk-len": fixed(str(limits.max_argument_size)),
        b"slowlog-log-slower-than": Parameter(slowlog_threshold, set_slowlog_threshold),
        b"slowlog-max-len": Parameter(lambda: str(logs[0].entries.maxlen), set_slowlog_length),
        b"timeout": Parameter(lambda: f"{listener.idle_timeout:.0f}", set_timeout),
    }
