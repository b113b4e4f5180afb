"""What a worker answers when another one asks on behalf of a listener (``dispatch.crew``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rproxy.dispatch import (
    acl,
    client_pause,
    clients,
    herald,
    monitor,
    newcomer,
    own_metrics,
    pubsub_info,
    scripts,
    server_config,
    slowlog,
)
from rproxy.dispatch.context import Context

Answer = Callable[[Any, Context], Any]
"""Takes the argument of the question, as the worker has it that asked, and gives the answer: both are JSON-able."""

QUESTIONS: dict[str, Answer] = {
    **acl.QUESTIONS,
    **client_pause.QUESTIONS,
    **clients.QUESTIONS,
    **herald.QUESTIONS,
    **own_metrics.QUESTIONS,
    **pubsub_info.QUESTIONS,
    **monitor.QUESTIONS,
    **newcomer.QUESTIONS,
    **scripts.QUESTIONS,
    **slowlog.QUESTIONS,
    **server_config.QUESTIONS,
}
"""The answers by question."""


def serve_questions(context: Context) -> None:
    """Let the workers ask for what the listener of ``context`` knows."""
    context.crew.answer = lambda question, argument: QUESTIONS[question](argument, context)
    herald.send_heralds(context)
    newcomer.catch_up(context)
