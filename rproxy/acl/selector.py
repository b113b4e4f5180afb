"""A selector: a set of commands with the keys and the channels that they may name (``aclSelector`` in ``acl.c``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from rproxy.acl.command_rules import CommandRules
from rproxy.acl.key_access import Permission, common_need, key_needs
from rproxy.commands.glob import any_of
from rproxy.commands.spec import CommandSpec

_PREFIXES = {Permission.BOTH: "~", Permission.READ: "%R~", Permission.WRITE: "%W~"}
_ONE_CHANNEL = frozenset((b"PUBLISH", b"SPUBLISH"))
_CHANNELS = frozenset((b"SUBSCRIBE", b"SSUBSCRIBE"))
_CHANNEL_PATTERNS = frozenset((b"PSUBSCRIBE",))


class Reason(IntEnum):
    """Why a command is denied; of several selectors the highest counts, as the one that came closest."""

    COMMAND = 1
    KEY = 2
    AUTH = 3
    CHANNEL = 4


class Denial(NamedTuple):
    """A command is denied; ``position`` is that of the key or the channel in its arguments."""

    reason: Reason
    position: int = 0


@dataclass(slots=True)
class Selector:
    """Commands, key patterns with what they allow, channel patterns. Not changed once it has been asked."""

    commands: CommandRules = field(default_factory=CommandRules)
    keys: dict[bytes, Permission] = field(default_factory=dict)
    has_all_keys: bool = False
    channels: dict[bytes, None] = field(default_factory=dict)
    has_all_channels: bool = False
    _matchers: dict[Permission, re.Pattern[bytes]] = field(default_factory=dict)
    _channel_matcher: re.Pattern[bytes] | None = None
    _shortcuts: dict[CommandSpec, re.Pattern[bytes] | None] = field(default_factory=dict)

    @property
    def is_unrestricted(self) -> bool:
        """Whether everything is allowed."""
        return self.commands.allows_all and self.has_all_keys and self.has_all_channels

    @property
    def reads_every_key(self) -> bool:
        """Whether no key is kept from being read."""
        return self.has_all_keys or Permission.READ in self.keys.get(b"*", Permission.NONE)

    def check(self, spec: CommandSpec, args: Sequence[bytes]) -> Denial | None:
        """Why the command, whose arity was checked, is denied; ``None`` if it is allowed."""
        if "no_auth" not in spec.flags and not self.commands.allow(spec, args):
            return Denial(Reason.COMMAND)
        if not self.has_all_keys:
            for position, need in key_needs(spec, args):
                if not self.allows_key(args[position], need):
                    return Denial(Reason.KEY, position)
        if not self.has_all_channels:
            return self._check_channels(spec, args)
        return None

    def shortcut(self, spec: CommandSpec) -> re.Pattern[bytes] | None:
        """What all keys have to match so that a command with keys at fixed positions is allowed.

        ``None`` if there is more to check, or the command is denied.
        """
        if spec not in self._shortcuts:
            need = common_need(spec) if spec.has_fixed_keys and self.commands.allow(spec, ()) else None
            self._shortcuts[spec] = self._matcher_of(need) if need is not None else None
        return self._shortcuts[spec]

    def allows_key(self, key: bytes, need: Permission) -> bool:
        """Whether one pattern allows all of ``need`` on ``key``."""
        return self._matcher_of(need).fullmatch(key) is not None

    def _matcher_of(self, need: Permission) -> re.Pattern[bytes]:
        matcher = self._matchers.get(need)
        if matcher is None:
            patterns = [pattern for pattern, allowed in self.keys.items() if need in allowed]
            matcher = self._matchers[need] = any_of([b"*"] if self.has_all_keys else patterns)
        return matcher

    def _check_channels(self, spec: CommandSpec, args: Sequence[bytes]) -> Denial | None:
        name = spec.name
        if name in _CHANNEL_PATTERNS:
            denied = (position for position in range(1, len(args)) if args[position] not in self.channels)
        elif name in _ONE_CHANNEL or name in _CHANNELS:
            last = 1 if name in _ONE_CHANNEL else len(args) - 1
            matcher = self._matcher_of_channels()
            denied = (position for position in range(1, last + 1) if not matcher.fullmatch(args[position]))
        else:
            return None
        position = next(denied, 0)
        return Denial(Reason.CHANNEL, position) if position else None

    def _matcher_of_channels(self) -> re.Pattern[bytes]:
        if self._channel_matcher is None:
            self._channel_matcher = any_of(self.channels)
        return self._channel_matcher

    def keys_text(self) -> str:
        """The key patterns in the notation of the rules."""
        if self.has_all_keys:
            return "~*"
        return " ".join(f"{_PREFIXES[allowed]}{pattern.decode()}" for pattern, allowed in self.keys.items())

    def channels_text(self) -> str:
        """The channel patterns in the notation of the rules."""
        return "&*" if self.has_all_channels else " ".join(f"&{pattern.decode()}" for pattern in self.channels)

    def __str__(self) -> str:
        """The selector as ACL LIST shows it: rules that give it again."""
        channels = self.channels_text() if self.has_all_channels else f"resetchannels {self.channels_text()}"
        parts = [self.keys_text(), channels.rstrip(), str(self.commands)]
        return " ".join(part for part in parts if part)
