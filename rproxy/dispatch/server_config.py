"""CONFIG: rproxy's own parameters, and for all others those of the nodes.

GET shows the nodes' values as the first shard that is up has them; SET changes them on all nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rproxy.commands.glob import any_of
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.crew import Answers
from rproxy.dispatch.own_metrics import RESET
from rproxy.dispatch.parameters import Parameter
from rproxy.dispatch.parts import Parts, Target, ask_primary, is_silence, send_parts, send_to_all, shards_of
from rproxy.resp import encode
from rproxy.resp.decode import as_map, decode
from rproxy.routing import assembler

_PATTERN = frozenset(b"*?[\\")
"""Bytes that make a name a pattern."""


# -- GET


def config_get(command: Command, context: Context) -> bytes | None:
    """CONFIG GET pattern ...: a request for each pattern, since older servers take one."""
    patterns = [pattern.lower() for pattern in command.args[2:]]
    own = {name: parameter.read().encode() for name, parameter in _matching(context, patterns).items()}
    asked = [pattern for pattern in patterns if pattern not in own]
    targets = [target for target in shards_of(context) if not target[0].is_down(target[1])]
    if not asked or not targets:
        return encode.reply(own, command.session.protocol)

    def finish(replies: list[bytes]) -> None:
        command.reply(_shown(replies, own, command.session.protocol))

    parts = Parts(len(asked), finish)
    for index, pattern in enumerate(asked):
        ask_primary(command, encode.command([b"CONFIG", b"GET", pattern]), parts, index, targets[0])
    return None


def _matching(context: Context, patterns: Sequence[bytes]) -> dict[bytes, Parameter]:
    wanted = any_of(patterns)
    return {name: parameter for name, parameter in context.parameters.items() if wanted.fullmatch(name)}


def _shown(replies: Sequence[bytes], own: dict[bytes, bytes], protocol: int) -> bytes:
    """The nodes' parameters under rproxy's own; the latter alone where the nodes' are not to be seen."""
    silence = next(filter(is_silence, replies), None)
    if silence is not None and not own:
        return silence
    found: dict[bytes, encode.Value] = {}
    for reply in replies:
        value = decode(reply)
        if isinstance(value, list | dict):
            found |= as_map(value)
    return encode.reply({**found, **own}, protocol)


# -- SET


def config_set(command: Command, context: Context, targets: Sequence[Target]) -> None:
    """CONFIG SET parameter value ...: the nodes' on all nodes, then rproxy's own if that went well."""
    names = [name.lower() for name in command.args[2::2]]
    values = command.args[3::2]
    if len(names) != len(values):
        command.reply(encode.error("ERR syntax error"))
        return
    pairs = dict(zip(names, values, strict=True))
    failure = _duplicate(names) or _refusal(context, pairs)
    if failure is not None:
        command.reply(failure)
        return
    own = {name.decode(): value.decode("latin-1") for name, value in pairs.items() if name in context.parameters}
    rest = [word for pair in pairs.items() if pair[0] not in context.parameters for word in pair]

    def apply(replies: list[bytes]) -> None:
        reply = assembler.merge(command.spec.response_policy, replies) if replies else encode.OK
        if reply.startswith(b"-") or not own:
            command.reply(reply)
        else:
            context.crew.ask(APPLY, own, lambda answers: command.reply(_first_failure(answers)))

    if not rest:
        apply([])
        return
    command.data = encode.command([b"CONFIG", b"SET", *rest])
    send_parts(command, context, targets, apply)


def _duplicate(names: Sequence[bytes]) -> bytes | None:
    seen: set[bytes] = set()
    for name in names:
        if name in seen:
            return _failed(name, "duplicate parameter")
        seen.add(name)
    return None


def _refusal(context: Context, pairs: dict[bytes, bytes]) -> bytes | None:
    """The error if a parameter is one that rproxy does not let be changed."""
    for name in pairs:
        parameter = context.parameters.get(name)
        if parameter is not None and parameter.write is None:
            return _failed(name, "it is set in the configuration of rproxy")
    return None


def apply_parameters(pairs: dict[str, str], context: Context) -> str:
    """Set parameters of rproxy's own in this worker; the error line if one has no such value."""
    for name, value in pairs.items():
        parameter = context.parameters.get(name.encode())
        if parameter is None or parameter.write is None:
            continue
        try:
            parameter.write(value)
        except ValueError as error:
            return _failed(name.encode(), str(error)).decode("latin-1")
    return ""


def _first_failure(answers: Answers) -> bytes:
    return next((answer.encode("latin-1") for answer in answers if answer), encode.OK)


def _failed(name: bytes, reason: str) -> bytes:
    shown = name.decode(errors="replace")
    return encode.error(f"ERR CONFIG SET failed (possibly related to argument '{shown}') - {reason}")


# -- RESETSTAT


def reset_stat(command: Command, context: Context, targets: Sequence[Target]) -> None:
    """CONFIG RESETSTAT: on all nodes, and INFO counts from here on; metrics count on."""

    def reset(_: Answers) -> None:
        send_to_all(command, context, targets, lambda replies: assembler.merge(command.spec.response_policy, replies))

    context.crew.ask(RESET, None, reset)


APPLY = "config set"
"""The question with which all workers are told."""
QUESTIONS: dict[str, Callable[[Any, Context], Any]] = {APPLY: apply_parameters}
HANDLERS: dict[bytes, Callable[[Command, Context], bytes | None]] = {b"CONFIG|GET": config_get}
"""What is answered here, by name in the command table."""
SPECIAL: dict[bytes, Callable[[Command, Context, Sequence[Target]], None]] = {
    b"CONFIG|RESETSTAT": reset_stat,
    b"CONFIG|SET": config_set,
}
"""What goes to all nodes."""
