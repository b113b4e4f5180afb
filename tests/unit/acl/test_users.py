"""The users of a listener."""

from rproxy.acl.rules import user_of
from rproxy.acl.users import Users


def test_without_users_everybody_is_welcome_to_everything() -> None:
    users = Users()
    assert [str(user) for user in users] == ["user default on nopass ~* &* +@all"]
    assert users.default.is_welcome_without_password
    assert users.default.is_unrestricted


def test_users_come_in_with_a_password_of_their_own() -> None:
    users = Users([user_of("b", "on >two"), user_of("a", "on >one"), user_of("off", "off >one")])
    assert [user.name for user in users] == [b"a", b"b", b"default", b"off"]
    assert len(users) == 4
    assert users.authenticate(b"a", b"one") is users.find(b"a")
    for name, password in [(b"a", b"two"), (b"off", b"one"), (b"nobody", b"one"), (b"nobody", b"")]:
        assert users.authenticate(name, password) is None
    assert users.find(b"nobody") is None


def test_a_default_user_with_a_password_lets_nobody_in_without() -> None:
    assert not Users([user_of("default", "on >pw +@all ~* &*")]).default.is_welcome_without_password
    assert not Users([user_of("default", "off nopass")]).default.is_welcome_without_password
