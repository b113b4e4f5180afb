"""What a selector allows, and why it denies the rest."""

import pytest

from rproxy.acl.rules import user_of
from rproxy.acl.selector import Denial, Reason
from rproxy.commands.lookup import COMMANDS, SPECS, resolve


def check(rules: str, command: str) -> Denial | None:
    args = [word.encode() for word in command.split()]
    return user_of("someone", rules).root.check(resolve(COMMANDS, args), args)


@pytest.mark.parametrize(
    ("rules", "command", "denial"),
    [
        ("+@all ~a*", "GET abc", None),
        ("+@all ~a*", "GET b", Denial(Reason.KEY, 1)),
        ("+@all ~a*", "MGET a b c", Denial(Reason.KEY, 2)),
        ("~a*", "GET a", Denial(Reason.COMMAND)),
        ("-@all", "AUTH x", None),
        ("+@all %R~a", "GET a", None),
        ("+@all %R~a", "SET a 1", Denial(Reason.KEY, 1)),
        ("+@all %W~a", "SET a 1", None),
        ("+@all %W~a", "SET a 1 GET", Denial(Reason.KEY, 1)),
        ("+@all %R~a* %W~*b", "GETDEL ab", Denial(Reason.KEY, 1)),
        ("+@all %R~a %W~a", "GETDEL a", None),
        ("+@all %R~a %W~b", "COPY a b", None),
        ("+@all %R~a %W~b", "COPY b a", Denial(Reason.KEY, 1)),
        ("+@all %W~a", "EXISTS a", None),
        ("+@all %W~a", "EXISTS b", Denial(Reason.KEY, 1)),
        ("+@all allkeys", "PUBLISH a b", Denial(Reason.CHANNEL, 1)),
        ("+@all &a*", "PUBLISH abc b", None),
        ("+@all &a*", "SPUBLISH b a", Denial(Reason.CHANNEL, 1)),
        ("+@all &a*", "SUBSCRIBE a b", Denial(Reason.CHANNEL, 2)),
        ("+@all &a*", "PSUBSCRIBE a*", None),
        ("+@all &a*", "PSUBSCRIBE ab*", Denial(Reason.CHANNEL, 1)),
        ("+@all &*", "PSUBSCRIBE ab*", None),
        ("+@all", "UNSUBSCRIBE a", None),
    ],
)
def test_commands_keys_and_channels_are_checked_in_this_order(rules: str, command: str, denial: Denial | None) -> None:
    assert check(rules, command) == denial


@pytest.mark.parametrize(
    ("rules", "is_unrestricted"),
    [
        ("~* &* +@all", True),
        ("~* &* +@all -get +get", False),
        ("~a +@all &*", False),
        ("~* +@all", False),
        ("~* &*", False),
    ],
)
def test_only_what_may_do_everything_is_unrestricted(rules: str, is_unrestricted: bool) -> None:
    assert user_of("someone", rules).root.is_unrestricted is is_unrestricted


@pytest.mark.parametrize(
    ("rules", "shown"),
    [
        ("", "resetchannels -@all"),
        ("~* &* +@all", "~* &* +@all"),
        ("~a %R~b %rw~c %W~b &x &y +get", "~a ~b ~c resetchannels &x &y -@all +get"),
        ("%R~a %W~b", "%R~a %W~b resetchannels -@all"),
    ],
)
def test_a_selector_is_shown_as_rules_that_give_it_again(rules: str, shown: str) -> None:
    root = user_of("someone", rules).root
    assert str(root) == shown
    assert str(user_of("someone", shown).root) == shown


# -- the shortcut of the fast path


@pytest.mark.parametrize(
    ("rules", "command", "is_enough"),
    [
        ("+@all ~a*", "GET abc", True),
        ("+@all ~a*", "GET b", False),
        ("+@all %W~a*", "DEL a ab", True),
        ("+@all %R~a*", "DEL a", False),
        ("+@all ~*", "GETDEL x", True),
        ("+@all ~a", "SET a 1", True),
        ("+@all %W~a", "SET a 1", False),  # allowed, but only a closer look tells
        ("+@all ~a ~b", "COPY a b", False),
        ("+@all -get ~*", "GET a", False),
        ("+get|a ~*", "GET a", False),
        ("+@all ~*", "SPUBLISH a b", False),
        ("+@all ~*", "ZUNION 1 a", False),
        ("+@all ~*", "PING", False),
    ],
)
def test_the_shortcut_tells_what_is_clearly_allowed(rules: str, command: str, is_enough: bool) -> None:
    args = [word.encode() for word in command.split()]
    spec = resolve(COMMANDS, args)
    matcher = user_of("someone", rules).root.shortcut(spec)
    positions = range(spec.first_key, spec.last_key_of(len(args)) + 1, spec.key_step or 1)
    assert (matcher is not None and all(matcher.fullmatch(args[at]) for at in positions)) is is_enough


@pytest.mark.parametrize("rules", ["+@all %R~a* %W~*b", "+@read ~a* +@write -@slow", "+@all -@hash %W~a", "~* +@fast"])
def test_the_shortcut_allows_nothing_that_is_denied(rules: str) -> None:
    root = user_of("someone", rules).root
    allowed = 0
    for spec in SPECS:
        matcher = root.shortcut(spec)
        args = [spec.name, *[b"a", b"ab", b"b", b"GET"] * 3][: max(spec.least, 4)]
        positions = range(spec.first_key, spec.last_key_of(len(args)) + 1, spec.key_step or 1)
        if matcher is not None and all(matcher.fullmatch(args[at]) for at in positions):
            allowed += 1
            assert root.check(spec, args) is None, spec
    assert allowed > 10
