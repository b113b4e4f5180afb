"""A worker that starts while others serve hears from them what is going on: who monitors, how long commands wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from rproxy.dispatch.client_pause import pause_here
from rproxy.dispatch.context import Context
from rproxy.dispatch.crew import Answers
from rproxy.dispatch.monitor import set_audience

GOING_ON = "what is going on"


def catch_up(context: Context) -> None:
    """Ask the other workers of a listener, once this one has started: what they tell reaches it from then on."""
    crew = context.crew
    if not crew.is_alone:
        asyncio.get_running_loop().call_soon(
            lambda: crew.ask(GOING_ON, _own_audience(context), lambda answers: _take(answers, context))
        )


def _own_audience(context: Context) -> list[int]:
    return [context.crew.worker_id, len(context.monitors.here)]


def _tell(audience: list[int], context: Context) -> list[Any] | None:
    """Who asks has so many monitors now: none, if it takes the place of a worker that had some."""
    if audience[0] == context.crew.worker_id:
        return None
    set_audience(audience, context)
    return [_own_audience(context), context.pause.rest()]


def _take(answers: Answers, context: Context) -> None:
    for audience, pause in filter(None, answers):
        set_audience(audience, context)
        if pause is not None:
            pause_here(pause, context)


QUESTIONS: dict[str, Callable[[Any, Context], Any]] = {GOING_ON: _tell}
