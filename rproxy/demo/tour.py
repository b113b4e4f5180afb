"""``rproxy demo``: the guided tour, from the first process to the last."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
import hiredis

from rproxy.demo.stage import Stage, set_up
from rproxy.demo.steps import STEPS
from rproxy.errors import RproxyError

if TYPE_CHECKING:
    from rproxy.demo.screen import Screen

INTERRUPTED = 130
"""The exit status after Ctrl-C before the last step, as a shell has it."""


def main() -> int:
    """Take the tour. 0 if every step held, 1 with the failed step named.

    In a terminal everything stays up after the last step until Ctrl-C. Nothing is left behind.
    """
    try:
        from rproxy.demo.screen import Screen
    except ModuleNotFoundError:
        click.echo("the tour needs rich: pip install 'rproxy[demo]'", err=True)
        return 1
    try:
        return _guide(Screen())
    except KeyboardInterrupt:
        return INTERRUPTED


def _guide(screen: Screen) -> int:
    """Run the steps in order up to the first that fails."""
    name = "start"
    try:
        screen.heading("start: a Redis Cluster of 3 primaries and 3 replicas, a mirror, and rproxy before them")
        with set_up(screen) as stage:
            screen.good(
                f"rproxy on 127.0.0.1:{stage.port}, cluster {stage.cluster.seeds}, mirror {stage.mirror.address}"
            )
            for step in STEPS:
                name = step.name
                screen.heading(f"{step.name}: {step.promise}")
                step.show(stage, screen)
            screen.heading("every step held")
            if screen.is_terminal:
                _stay(stage, screen)
    except (RproxyError, OSError, hiredis.HiredisError) as error:
        screen.bad(f"{name}: {error}")
        return 1
    return 0


def _stay(stage: Stage, screen: Screen) -> None:
    """Keep everything up until Ctrl-C. Raises ``StartError`` if rproxy ends by itself."""
    screen.say(f"clients connect with: redis-cli -p {stage.port}")
    screen.say(f"metrics and topology: http://127.0.0.1:{stage.proxy.admin_port}/metrics and /clusters")
    screen.say("Ctrl-C ends everything")
    try:
        while stage.proxy.is_running:
            time.sleep(0.2)
    except KeyboardInterrupt:
        return
    stage.proxy.await_ready(0)
