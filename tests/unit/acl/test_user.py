"""Users: their passwords, and the selectors of which one has to allow a command."""

import pytest

from rproxy.acl.rules import user_of
from rproxy.acl.selector import Denial, Reason
from rproxy.acl.user import User, password_hash
from rproxy.commands.lookup import COMMANDS, resolve


@pytest.mark.parametrize(
    ("rules", "accepted"),
    [
        ("", []),
        ("on", []),
        ("on >one >two", ["one", "two"]),
        ("off >one", []),
        (f"on #{password_hash(b'two')}", ["two"]),
        ("on nopass", ["one", "two", ""]),
        ("on nopass >one", ["one"]),
        ("on >one nopass resetpass", []),
        ("on >one >two <one", ["two"]),
        (f"on >one !{password_hash(b'one')}", []),
    ],
)
def test_a_user_accepts_its_passwords_while_it_is_on(rules: str, accepted: list[str]) -> None:
    user = user_of("someone", rules)
    assert [text for text in ("one", "two", "") if user.accepts(text.encode())] == accepted


def test_a_password_may_be_added_once() -> None:
    user = user_of("someone", "on nopass")
    for _ in range(2):
        user.add_password(b"with blank")
    assert user.hashes == [password_hash(b"with blank")]
    assert user.accepts(b"with blank")
    assert not user.accepts(b"other")


@pytest.mark.parametrize(
    ("rules", "command", "denial"),
    [
        ("+get ~a", "GET a", None),
        ("+get ~a (+get ~b)", "GET b", None),
        ("+get ~a (+set ~a)", "GET b", Denial(Reason.KEY, 1)),
        ("+set ~a (+set ~b)", "GET b", Denial(Reason.COMMAND)),
        ("+mget ~a (+mget ~b)", "MGET a b", Denial(Reason.KEY, 2)),
        ("+mget ~b (+mget ~a)", "MGET a b", Denial(Reason.KEY, 2)),
        ("+publish (+publish &x)", "PUBLISH a b", Denial(Reason.CHANNEL, 1)),
    ],
)
def test_one_selector_has_to_allow_all_of_a_command(rules: str, command: str, denial: Denial | None) -> None:
    args = [word.encode() for word in command.split()]
    assert user_of("someone", rules).check(resolve(COMMANDS, args), args) == denial


@pytest.mark.parametrize(
    ("rules", "may"),
    [
        ("+sort ~*", True),
        ("+sort %R~* ~a", True),
        ("+sort %W~* ~a", False),
        ("+sort ~a", False),
        ("+sort ~a (+get ~*)", False),
        ("+sort ~a (+sort ~*)", True),
    ],
)
def test_only_who_may_read_every_key_may_read_those_that_a_command_does_not_name(rules: str, may: bool) -> None:
    args = [b"SORT", b"a"]
    assert user_of("someone", rules).may_read_every_key(resolve(COMMANDS, args), args) is may


def test_a_user_is_shown_as_a_line_of_redis_configuration() -> None:
    digest = password_hash(b"pw")
    assert str(User(b"new")) == "user new off resetchannels -@all"
    assert str(user_of("app", "on >pw ~a skip-sanitize-payload +get (~b +set)")) == (
        f"user app on skip-sanitize-payload #{digest} ~a resetchannels -@all +get (~b resetchannels -@all +set)"
    )
    assert user_of("app", "off nopass sanitize-payload").flags() == ["off", "nopass", "sanitize-payload"]


def test_unrestricted_by_one_selector_is_unrestricted() -> None:
    assert user_of("app", "+get (+@all ~* &*)").is_unrestricted
    assert not user_of("app", "+@all (~* &*)").is_unrestricted
