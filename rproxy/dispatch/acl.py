"""ACL and its subcommands, over the users of the configuration. The texts are Redis's."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from rproxy.acl.command_rules import commands_in
from rproxy.acl.selector import Reason, Selector
from rproxy.acl.user import User
from rproxy.commands.categories import CATEGORIES
from rproxy.commands.lookup import CommandError, check_arity, resolve
from rproxy.dispatch.acl_log import PlainEntry, merged
from rproxy.dispatch.command import Command, wrong_usage
from rproxy.dispatch.context import Context
from rproxy.dispatch.crew import Answers, ask_all
from rproxy.resp import encode
from rproxy.resp.encode import Distinct, Value
from rproxy.resp.integer import integer_of

_BITS_DEFAULT = 256
_BITS_MOST = 4096
_LOG_DEFAULT = 10
_LOG_QUESTION = "acl-log"
_NO_INTEGER = encode.error("ERR value is not an integer or out of range")
_BITS_RANGE = encode.error(
    f"ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to {_BITS_MOST}"
)


def who_am_i(command: Command, context: Context) -> Value:
    """ACL WHOAMI."""
    return command.session.user.name


def names(command: Command, context: Context) -> Value:
    """ACL USERS."""
    return [user.name for user in context.users]


def definitions(command: Command, context: Context) -> Value:
    """ACL LIST."""
    return [str(user).encode() for user in context.users]


def get_user(command: Command, context: Context) -> Value:
    """ACL GETUSER name."""
    user = context.users.find(command.args[2])
    return _describe(user) if user is not None else None


def _describe(user: User) -> Value:
    return {
        b"flags": Distinct(flag.encode() for flag in user.flags()),
        b"passwords": [digest.encode() for digest in user.hashes],
        **_describe_selector(user.root),
        b"selectors": [_describe_selector(selector) for selector in user.selectors],
    }


def _describe_selector(selector: Selector) -> dict[bytes, Value]:
    return {
        b"commands": str(selector.commands).encode(),
        b"keys": selector.keys_text().encode(),
        b"channels": selector.channels_text().encode(),
    }


def categories(command: Command, context: Context) -> Value:
    """ACL CAT [category]."""
    if len(command.args) == 2:
        return [category.encode() for category in CATEGORIES]
    _expect(command, 3)
    name = command.args[2].decode("latin-1")
    if name.lower() not in CATEGORIES:
        raise CommandError(encode.error(f"ERR Unknown category '{name[:128]}'"))
    return commands_in(name.lower())


def dry_run(command: Command, context: Context) -> Value:
    """ACL DRYRUN user command [argument ...]."""
    shown, asked = command.args[2].decode("latin-1"), command.args[3:]
    user = context.users.find(command.args[2])
    if user is None:
        raise CommandError(encode.error(f"ERR User '{shown}' not found"))
    try:
        spec = resolve(context.commands, asked)
    except CommandError:
        raise CommandError(encode.error(f"ERR Command '{asked[0].decode('latin-1')}' not found")) from None
    check_arity(spec, len(asked))
    denial = user.check(spec, asked)
    if denial is None:
        return "OK"
    if denial.reason is Reason.COMMAND:
        return b"This user has no permissions to run the '%b' command" % spec.name.lower()
    kind = denial.reason.name.lower().encode()
    return b"This user has no permissions to access the '%b' %b" % (asked[denial.position], kind)


def generate_password(command: Command, context: Context) -> Value:
    """ACL GENPASS [bits]."""
    _expect(command, 3)
    bits = _integer(command.args[2]) if len(command.args) == 3 else _BITS_DEFAULT
    if not 0 < bits <= _BITS_MOST:
        raise CommandError(_BITS_RANGE)
    digits = (bits + 3) // 4
    return secrets.token_hex((digits + 1) // 2)[:digits].encode()


def show_log(command: Command, context: Context) -> bytes | None:
    """ACL LOG [count | RESET], of all workers."""
    try:
        _expect(command, 3)
        is_reset = len(command.args) == 3 and command.args[2].upper() == b"RESET"
        count = _integer(command.args[2]) if len(command.args) == 3 and not is_reset else _LOG_DEFAULT
    except CommandError as refused:
        return refused.line

    def finish(answers: Answers) -> bytes:
        if is_reset:
            return encode.OK
        now = time.time()
        shown = [entry.describe(now) for entry in merged(answers).newest(count)]
        return encode.reply(shown, command.session.protocol)

    ask_all(command, context.crew, _LOG_QUESTION, None if is_reset else count, finish)
    return None


def tell_log(count: int | None, context: Context) -> list[PlainEntry]:
    """This worker's part of ACL LOG: up to ``count`` entries; ``None`` forgets them."""
    if count is None:
        context.acl_log.clear()
        return []
    return [entry.plain() for entry in context.acl_log.newest(count)]


def _expect(command: Command, most: int) -> None:
    """Refuse more than ``most`` arguments, where the arity has no limit."""
    if len(command.args) > most:
        raise CommandError(wrong_usage(command))


def _integer(text: bytes) -> int:
    try:
        return integer_of(text)
    except ValueError:
        raise CommandError(_NO_INTEGER) from None


Answer = Callable[[Command, Context], Value]


def _handler(answer: Answer) -> Callable[[Command, Context], bytes]:
    """What replies with the value of ``answer``, or with the error that it raises."""

    def handle(command: Command, context: Context) -> bytes:
        try:
            return encode.reply(answer(command, context), command.session.protocol)
        except CommandError as refused:
            return refused.line

    return handle


_ANSWERS: dict[bytes, Answer] = {
    b"CAT": categories,
    b"DRYRUN": dry_run,
    b"GENPASS": generate_password,
    b"GETUSER": get_user,
    b"LIST": definitions,
    b"USERS": names,
    b"WHOAMI": who_am_i,
}
HANDLERS: dict[bytes, Callable[[Command, Context], bytes | None]] = {
    **{b"ACL|" + name: _handler(answer) for name, answer in _ANSWERS.items()},
    b"ACL|LOG": show_log,
}
QUESTIONS = {_LOG_QUESTION: tell_log}
"""What other workers may ask of this one."""
