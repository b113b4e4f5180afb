"""What CONFIG shows of a listener, and what it can change while rproxy runs."""

from __future__ import annotations

from rproxy.config.models import LimitsConfig
from rproxy.dispatch.parameters import COMMON, Parameter, fixed, integer
from rproxy.downstream.listener import Listener


def parameters_of(listener: Listener, workers: int) -> dict[bytes, Parameter]:
    """The parameters of CONFIG that are ``listener``'s, by name."""
    limits: LimitsConfig = listener.settings.limits

    def set_timeout(text: str) -> None:
        listener.idle_timeout = float(integer(text))

    return {
        **COMMON,
        b"maxclients": fixed(str(limits.max_clients * workers)),
        b"port": fixed(str(listener.settings.address.port)),
        b"proto-max-bulk-len": fixed(str(limits.max_argument_size)),
        b"timeout": Parameter(lambda: f"{listener.idle_timeout:.0f}", set_timeout),
    }
