"""CLIENT LIST, INFO, KILL and UNBLOCK: the clients of a listener, at all of its workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rproxy.dispatch.command import Command, wrong_usage
from rproxy.dispatch.context import Context
from rproxy.dispatch.crew import Answers, ask_all
from rproxy.dispatch.session import Session, State
from rproxy.resp import encode
from rproxy.resp.integer import integer_of
from rproxy.upstream.subscription import Kind

SYNTAX = encode.error("ERR syntax error")
NOT_AN_INTEGER = encode.error("ERR value is not an integer or out of range")
NO_SUCH_CLIENT = encode.error("ERR No such client")
INVALID_ID = encode.error("ERR Invalid client ID")
BAD_REASON = encode.error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
BAD_ID_TO_KILL = encode.error("ERR client-id should be greater than 0")
BAD_AGE = encode.error("ERR maxage is not an integer or out of range")
_TYPES = {"normal": "normal", "master": "master", "replica": "replica", "slave": "replica", "pubsub": "pubsub"}
_SKIP_ME = {b"YES": True, b"NO": False}

Filters = dict[str, Any]
"""What the clients have to be: an attribute of ``_FACTS`` and its value; JSON-able."""


# -- one client


def line_of(session: Session) -> str:
    """The client's line, as in CLIENT LIST of Redis 7.0 and with the library's facts of 7.2."""
    client, subscriber, transaction = session.client, session.subscriber, session.transaction
    idle, unread, unsent = client.figures() if client is not None else (0, 0, 0)
    counts = [len(subscriber.names(kind)) if subscriber is not None else 0 for kind in Kind]
    subscribed = dict(zip(Kind, counts, strict=True))
    last = session.last_command
    fields: dict[str, object] = {
        "id": session.id,
        "addr": session.address,
        "laddr": session.local_address,
        "fd": session.descriptor,
        "name": session.name.decode("latin-1"),
        "age": int(time.time() - session.created),
        "idle": idle,
        "flags": _flags_of(session),
        "db": 0,
        "sub": subscribed[Kind.CHANNEL],
        "psub": subscribed[Kind.PATTERN],
        "ssub": subscribed[Kind.SHARD],
        "multi": len(transaction.queued) if transaction is not None else -1,
        "qbuf": unread,
        "qbuf-free": 0,
        "argv-mem": 0,
        "multi-mem": sum(len(queued.data) for queued in transaction.queued) if transaction is not None else 0,
        "rbs": 0,
        "rbp": 0,
        "obl": unsent,
        "oll": 0,
        "omem": 0,
        "tot-mem": unread + unsent,
        "events": "r",
        "cmd": last.name.decode().lower() if last is not None else "NULL",
        "user": session.user.name.decode("latin-1"),
        "redir": -1,
        "resp": session.protocol,
        "lib-name": session.library_name.decode("latin-1"),
        "lib-ver": session.library_version.decode("latin-1"),
    }
    return " ".join(f"{name}={value}" for name, value in fields.items())


def _flags_of(session: Session) -> str:
    conditions = {
        "P": session.subscriber is not None,
        "x": State.IN_TRANSACTION in session.states,
        "b": session.unblock is not None,
        "U": session.address.startswith(("unix", "/")),
    }
    flags = [flag for flag, is_set in conditions.items() if is_set] + sorted(session.marks)
    return "".join(flags) or "N"


def _type_of(session: Session) -> str:
    return "pubsub" if session.subscriber is not None else "normal"


_FACTS: dict[str, Callable[[Session, Any], bool]] = {
    "id": lambda session, wanted: session.id in wanted,
    "type": lambda session, wanted: _type_of(session) == wanted,
    "addr": lambda session, wanted: session.address == wanted,
    "laddr": lambda session, wanted: session.local_address == wanted,
    "user": lambda session, wanted: session.user.name == wanted.encode("latin-1"),
    "maxage": lambda session, wanted: time.time() - session.created >= wanted,
    "skip": lambda session, wanted: session.id != wanted,
}


def _matching(filters: Filters, context: Context) -> list[Session]:
    sessions = list(context.sessions.values())
    return [session for session in sessions if all(_FACTS[name](session, filters[name]) for name in filters)]


# -- what the other workers are asked


def _list_here(filters: Filters, context: Context) -> list[list[Any]]:
    return [[session.id, line_of(session)] for session in _matching(filters, context)]


def _kill_here(argument: list[Any], context: Context) -> int:
    """Close the clients that match; the one that asks has its reply first."""
    filters, asker = argument
    matching = _matching(filters, context)
    for session in matching:
        if session.id == asker:
            session.quit()
        elif session.client is not None:
            session.client.close()
    return len(matching)


def _unblock_here(argument: list[Any], context: Context) -> bool:
    number, is_error = argument
    session = context.sessions.get(number)
    return session is not None and session.unblock is not None and session.unblock(is_error)


QUESTIONS: dict[str, Callable[[Any, Context], Any]] = {
    "clients": _list_here,
    "kill clients": _kill_here,
    "unblock client": _unblock_here,
}


# -- the commands


def _number(text: bytes) -> int | None:
    try:
        return integer_of(text)
    except ValueError:
        return None


def _text(text: str, protocol: int) -> bytes:
    return encode.reply(encode.Text(text.encode("latin-1")), protocol)


def client_info(command: Command, context: Context) -> bytes:
    """CLIENT INFO."""
    return _text(f"{line_of(command.session)}\n", command.session.protocol)


def client_list(command: Command, context: Context) -> bytes | None:
    """CLIENT LIST [TYPE type | ID id [id ...]]."""
    protocol = command.session.protocol
    filters = _list_filters(command.args[2:])
    if isinstance(filters, bytes):
        return filters

    def finish(answers: Answers) -> bytes:
        lines = sorted((number, line) for answer in answers for number, line in answer)
        return _text("".join(f"{line}\n" for _, line in lines), protocol)

    ask_all(command, context.crew, "clients", filters, finish)
    return None


def _list_filters(options: list[bytes]) -> Filters | bytes:
    if not options:
        return {}
    option = options[0].upper()
    if option == b"TYPE" and len(options) == 2:
        return _type_filter(options[1])
    if option == b"ID" and len(options) > 1:
        numbers = [_number(text) for text in options[1:]]
        return INVALID_ID if None in numbers else {"id": numbers}
    return SYNTAX


def _type_filter(text: bytes) -> Filters | bytes:
    kind = _TYPES.get(text.decode("latin-1").lower())
    return {"type": kind} if kind else encode.error(f"ERR Unknown client type '{text.decode('latin-1')}'")


def client_kill(command: Command, context: Context) -> bytes | None:
    """CLIENT KILL address, or by filters."""
    own = command.session.id
    if len(command.args) == 3:
        filters: Filters = {"addr": command.args[2].decode("latin-1")}
        ask_all(
            command,
            context.crew,
            "kill clients",
            [filters, own],
            lambda counts: encode.OK if sum(counts) else NO_SUCH_CLIENT,
        )
        return None
    options = command.args[2:]
    filters = {"skip": own}
    for index in range(0, len(options), 2):
        part = _kill_filter(options[index], options[index + 1], own, context) if index + 1 < len(options) else SYNTAX
        if isinstance(part, bytes):
            return part
        filters |= part
    ask_all(command, context.crew, "kill clients", [filters, own], lambda counts: encode.integer(sum(counts)))
    return None


def _kill_filter(option: bytes, value: bytes, own: int, context: Context) -> Filters | bytes:
    """What one filter of CLIENT KILL asks for, or the error."""
    name, text = option.upper(), value.decode("latin-1")
    number = _number(value)
    if name == b"TYPE":
        return _type_filter(value)
    if name in (b"ADDR", b"LADDR"):
        return {name.decode().lower(): text}
    if name == b"ID":
        return {"id": [number]} if number is not None and number > 0 else BAD_ID_TO_KILL
    if name == b"MAXAGE":
        return {"maxage": number} if number is not None and number > 0 else BAD_AGE
    if name == b"USER":
        is_known = context.users.find(value) is not None
        return {"user": text} if is_known else encode.error(f"ERR No such user '{text}'")
    if name == b"SKIPME" and value.upper() in _SKIP_ME:
        return {"skip": own if _SKIP_ME[value.upper()] else 0}
    return SYNTAX


def client_unblock(command: Command, context: Context) -> bytes | None:
    """CLIENT UNBLOCK id [TIMEOUT | ERROR]."""
    if len(command.args) > 4:
        return wrong_usage(command)
    reason = command.args[3].upper() if len(command.args) > 3 else b"TIMEOUT"
    if reason not in (b"TIMEOUT", b"ERROR"):
        return BAD_REASON
    number = _number(command.args[2])
    if number is None:
        return NOT_AN_INTEGER
    question = [number, reason == b"ERROR"]
    ask_all(command, context.crew, "unblock client", question, lambda answers: encode.integer(int(any(answers))))
    return None


HANDLERS = {
    b"CLIENT|INFO": client_info,
    b"CLIENT|KILL": client_kill,
    b"CLIENT|LIST": client_list,
    b"CLIENT|UNBLOCK": client_unblock,
}
