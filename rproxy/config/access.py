"""Who may use a listener, as its configuration says."""

from __future__ import annotations

from rproxy.acl.rules import user_of
from rproxy.acl.user import DEFAULT, User
from rproxy.acl.users import Users
from rproxy.config.credentials import UserConfig
from rproxy.config.models import RedisProxyConfig

_EVERYTHING = "on ~* &* +@all"


def users_of(proxy: RedisProxyConfig) -> Users:
    """The users of a listener. Without any, everybody is the default user, who may do everything.

    With some, the default user is off unless it is one of them: who lists users does not mean to let others in.
    """
    users = [_user(settings) for settings in proxy.users]
    if proxy.has_common_passwords:
        user = user_of(proxy.downstream_auth_username or DEFAULT.decode(), _EVERYTHING)
        users.append(user)
        for password in proxy.downstream_auth_passwords:
            user.add_password(password.get_secret_value().encode())
    if users and all(user.name != DEFAULT for user in users):
        users.append(User(DEFAULT))
    return Users(users)


def _user(settings: UserConfig) -> User:
    user = user_of(settings.name, settings.rules.get_secret_value())
    for password in settings.passwords:
        user.add_password(password.get_secret_value().encode())
    return user
