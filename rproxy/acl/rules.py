"""Rules in the notation of ACL SETUSER, applied to a user (``ACLSetUser`` and ``ACLSetSelector`` in ``acl.c``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from rproxy.acl.command_rules import ALL, CommandRule, is_category
from rproxy.acl.key_access import Permission
from rproxy.acl.selector import Selector
from rproxy.acl.user import User, password_hash
from rproxy.commands.lookup import COMMANDS
from rproxy.commands.spec import CommandSpec

_SYNTAX = "Syntax error"
_UNKNOWN = "Unknown command or category name in ACL"
_ALL_KEYS = (
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. "
    "Try 'resetkeys' to start with an empty list of patterns"
)
_ALL_CHANNELS = (
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. "
    "Try 'resetchannels' to start with an empty list of channels"
)
_NO_HASH = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
_NO_PASSWORD = "The password you are trying to remove from the user does not exist"  # noqa: S105 - a message
_FIRST_ARGUMENT = "Allowing first-arg of a subcommand is not supported"
_HASH = re.compile("[0-9a-f]{64}")
_SECRET = re.compile(r"(?<!\S)([><#!])\S+")
_PUBLIC = "+-~%&"
"""What begins a rule that an error may show."""
_BLANK = re.compile(r"[\s\0]")
_PERMISSIONS = {"R": Permission.READ, "W": Permission.WRITE, "RW": Permission.BOTH, "WR": Permission.BOTH}


class RuleError(ValueError):
    """A rule that makes no sense. The text is Redis's."""


def user_of(name: str, rules: str) -> User:
    """The user ``name`` with ``rules``, separated by blanks. Raises ``RuleError``, which shows no word that may be, or
    be a piece of, a password.
    """
    user = User(name.encode())
    for number, rule in enumerate(split_rules(rules), 1):
        try:
            apply(user, rule)
        except RuleError as error:
            shown = f"'{rule}'" if rule[0] in _PUBLIC else f"rule {number}"
            raise RuleError(f"{shown}: {error}") from None
    return user


def masked_rules(rules: str) -> str:
    """``rules`` as they may be shown: without passwords and their hashes."""
    return _SECRET.sub(r"\1********", rules)


def split_rules(rules: str) -> Iterator[str]:
    """The single rules; a selector in parentheses is one. Raises ``RuleError``."""
    selector: list[str] = []
    for word in rules.split():
        if not selector and not word.startswith("("):
            yield word
            continue
        selector.append(word)
        if word.endswith(")"):
            yield " ".join(selector)
            selector = []
    if selector:
        raise RuleError("Unmatched parenthesis in acl selector")


def apply(user: User, rule: str) -> None:
    """Apply one rule to ``user``. Raises ``RuleError``."""
    word = rule.lower()
    if word in _USER_WORDS:
        _USER_WORDS[word](user)
    elif rule[0] in "><#!":
        _apply_password(user, rule)
    elif rule[0] == "(" and rule[-1] == ")":
        selector = Selector()
        for part in rule[1:-1].split():
            _apply_to_selector(selector, part)
        user.selectors.append(selector)
    else:
        _apply_to_selector(user.root, rule)


# -- the user


def _allow_everyone(user: User) -> None:
    user.needs_no_password = True
    user.hashes.clear()


def _forget_passwords(user: User) -> None:
    user.needs_no_password = False
    user.hashes.clear()


def _reset(user: User) -> None:
    fresh = User(user.name)
    user.is_on, user.needs_no_password, user.sanitizing = False, False, "sanitize-payload"
    user.hashes, user.root, user.selectors = fresh.hashes, fresh.root, fresh.selectors


def _setter(attribute: str, value: bool | str) -> Callable[[User], None]:
    return lambda user: setattr(user, attribute, value)


_USER_WORDS: dict[str, Callable[[User], None]] = {
    "on": _setter("is_on", True),
    "off": _setter("is_on", False),
    "nopass": _allow_everyone,
    "resetpass": _forget_passwords,
    "reset": _reset,
    "clearselectors": lambda user: user.selectors.clear(),
    "sanitize-payload": _setter("sanitizing", "sanitize-payload"),
    "skip-sanitize-payload": _setter("sanitizing", "skip-sanitize-payload"),
}


def _apply_password(user: User, rule: str) -> None:
    """``>password``, ``#hash``, ``<password``, ``!hash``."""
    kind, secret = rule[0], rule[1:]
    if kind in "#!" and not _HASH.fullmatch(secret):
        raise RuleError(_NO_HASH)
    digest = secret if kind in "#!" else password_hash(secret.encode())
    if kind in ">#":
        user.needs_no_password = False
        if digest not in user.hashes:
            user.hashes.append(digest)
    elif digest in user.hashes:
        user.hashes.remove(digest)
    else:
        raise RuleError(_NO_PASSWORD)


# -- a selector


def _apply_to_selector(selector: Selector, rule: str) -> None:
    """Apply a rule on keys, channels or commands."""
    word = rule.lower()
    if word in _SELECTOR_WORDS:
        _SELECTOR_WORDS[word](selector)
    elif rule[0] in "~%":
        _add_keys(selector, rule)
    elif rule[0] == "&":
        _add_channels(selector, rule)
    elif rule[0] in "+-":
        selector.commands.add(_command_rule(rule))
    else:
        raise RuleError(_SYNTAX)


def _set_keys(has_all: bool) -> Callable[[Selector], None]:
    def apply_word(selector: Selector) -> None:
        selector.has_all_keys = has_all
        selector.keys.clear()

    return apply_word


def _set_channels(has_all: bool) -> Callable[[Selector], None]:
    def apply_word(selector: Selector) -> None:
        selector.has_all_channels = has_all
        selector.channels.clear()

    return apply_word


def _set_commands(allows: bool) -> Callable[[Selector], None]:
    return lambda selector: selector.commands.add(CommandRule(allows, category=ALL))


_SELECTOR_WORDS: dict[str, Callable[[Selector], None]] = {
    "allkeys": _set_keys(True),
    "~*": _set_keys(True),
    "resetkeys": _set_keys(False),
    "allchannels": _set_channels(True),
    "&*": _set_channels(True),
    "resetchannels": _set_channels(False),
    "allcommands": _set_commands(True),
    "nocommands": _set_commands(False),
}


def _add_keys(selector: Selector, rule: str) -> None:
    if selector.has_all_keys:
        raise RuleError(_ALL_KEYS)
    kind, _, pattern = rule.partition("~")
    allowed = Permission.BOTH if not kind else _PERMISSIONS.get(kind[1:].upper())
    if allowed is None or _BLANK.search(pattern):
        raise RuleError(_SYNTAX)
    key = pattern.encode()
    selector.keys[key] = selector.keys.get(key, Permission.NONE) | allowed


def _add_channels(selector: Selector, rule: str) -> None:
    if selector.has_all_channels:
        raise RuleError(_ALL_CHANNELS)
    selector.channels[rule[1:].encode()] = None


def _command_rule(rule: str) -> CommandRule:
    """The rule of ``+get``, ``-config|set``, ``+@read``, ``+select|0``."""
    allows, what = rule[0] == "+", rule[1:]
    if what.startswith("@"):
        category = what[1:].lower()
        if not is_category(category):
            raise RuleError(_UNKNOWN)
        return CommandRule(allows, category=category)
    name, bar, argument = what.upper().encode().partition(b"|")
    spec: CommandSpec | None = COMMANDS.get(name)
    if spec is None and b"." in name:  # a module's command: servers tell of it later
        return CommandRule(allows, name=name)
    if spec is None:
        raise RuleError(_UNKNOWN)
    if not bar:
        return CommandRule(allows, name=name)
    if spec.subcommands is not None:
        return _subcommand_rule(allows, name, argument, spec.subcommands)
    if not allows or b"|" in argument:
        raise RuleError(_UNKNOWN)
    if not argument:
        raise RuleError(_SYNTAX)
    return CommandRule(allows, name=name, first_argument=argument)


def _subcommand_rule(allows: bool, name: bytes, argument: bytes, known: dict[bytes, CommandSpec]) -> CommandRule:
    if b"|" in argument and argument.partition(b"|")[0] in known:
        raise RuleError(_FIRST_ARGUMENT)
    if argument not in known:
        raise RuleError(_UNKNOWN if argument else _SYNTAX)
    return CommandRule(allows, name=name + b"|" + argument)
