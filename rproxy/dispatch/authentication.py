"""Who a client is, and whether it may do what it asks: AUTH, and the gates of what is denied. The texts are Redis's."""

from __future__ import annotations

import time

from rproxy.acl.key_access import unnamed_read
from rproxy.acl.selector import Denial, Reason
from rproxy.acl.user import DEFAULT, User
from rproxy.acl.users import Users
from rproxy.dispatch.acl_log import Entry
from rproxy.dispatch.clients import line_of
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.session import Session, State
from rproxy.resp import encode

NEEDS_AUTHENTICATION = "NOAUTH Authentication required."
WRONG_PASSWORD = encode.error("WRONGPASS invalid username-password pair or user is disabled.")
_NO_PASSWORD = encode.error(
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
_HELLO_NEEDS_AUTHENTICATION = encode.error(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option "
    "can be used to authenticate the client and select the RESP protocol version at the same time"
)
_SYNTAX = encode.error("ERR syntax error")


# -- who it is


def begin(session: Session, users: Users) -> None:
    """Let the client be the default user, as it is when it comes and after RESET."""
    _become(session, users.default)
    if not users.default.is_welcome_without_password:
        session.enter(State.UNAUTHENTICATED)
        if session.client is not None:
            session.client.trust(False)


def renew(session: Session, before: Users, now: Users) -> bool:
    """Let the client be who it is, among the users that there are now; false if there is no such user any more.

    As in Redis, who has come in stays in, whatever becomes of the password, with the rules of now. But who has shown
    none, since none was needed, has to if one is needed now.
    """
    is_stranger = State.UNAUTHENTICATED in session.states
    has_shown_none = session.user.name == DEFAULT and before.default.is_welcome_without_password
    if is_stranger or has_shown_none:
        was_subscribed = session.subscriber is not None
        session.leave(State.UNAUTHENTICATED)
        begin(session, now)
        is_in = State.UNAUTHENTICATED not in session.states
        if is_in and session.client is not None:
            session.client.trust(True)
        return is_in or not was_subscribed
    user = now.find(session.user.name)
    if user is None or (user.name == DEFAULT and not user.is_on):
        return False
    _become(session, user)
    return True


def resume(session: Session, name: bytes, users: Users) -> None:
    """Let the client be the user ``name``, as which it has authenticated elsewhere, if there is such a user here."""
    user = users.find(name)
    if user is None or (name == DEFAULT and not user.is_on):
        return
    session.leave(State.UNAUTHENTICATED)
    _become(session, user)
    if session.client is not None:
        session.client.trust(True)


def authenticate(command: Command, context: Context, name: bytes, password: bytes) -> bytes | None:
    """Let the client be the user ``name`` from now on; the error if the password is wrong, and it stays who it was."""
    user = context.users.authenticate(name, password)
    if user is None:
        _note(command, context, Reason.AUTH, command.args[0], name)
        return WRONG_PASSWORD
    session = command.session
    session.leave(State.UNAUTHENTICATED)
    _become(session, user)
    if session.client is not None:
        session.client.trust(True)
    return None


def greet(command: Command, context: Context, credentials: list[bytes] | None) -> bytes | None:
    """Authenticate with what HELLO was given, if anything; the error if the client is not authenticated then."""
    refusal = authenticate(command, context, *credentials) if credentials is not None else None
    if refusal is None and State.UNAUTHENTICATED in command.session.states:
        return _HELLO_NEEDS_AUTHENTICATION
    return refusal


def _become(session: Session, user: User) -> None:
    session.user = user
    if user.is_unrestricted:
        session.leave(State.RESTRICTED)
    else:
        session.enter(State.RESTRICTED)


def auth(command: Command, context: Context) -> bytes:
    """AUTH [user] password."""
    if len(command.args) > 3:
        return _SYNTAX
    if len(command.args) == 2 and context.users.default.needs_no_password:
        return _NO_PASSWORD
    name = command.args[1] if len(command.args) == 3 else DEFAULT
    return authenticate(command, context, name, command.args[-1]) or encode.OK


# -- what it may do


def require_authentication(command: Command, context: Context) -> bool:
    """The gate of a client that has not said who it is."""
    if "no_auth" in command.spec.flags:
        return False
    command.reject(NEEDS_AUTHENTICATION)
    return True


def require_permission(command: Command, context: Context) -> bool:
    """The gate of a client whose user may not do everything."""
    spec, args, user = command.spec, command.args, command.session.user
    denial = user.check(spec, args)
    if denial is not None:
        subject = spec.name.lower() if denial.reason is Reason.COMMAND else args[denial.position]
        _note(command, context, denial.reason, subject, user.name)
        command.reject(f"NOPERM {_reason_text(command, denial)}")
        return True
    option = unnamed_read(spec, args)
    if option and not user.may_read_every_key(spec, args):
        command.reply(encode.error(f"ERR {option} option of SORT denied due to insufficient ACL permissions."))
        return True
    return False


def _reason_text(command: Command, denial: Denial) -> str:
    if denial.reason is Reason.COMMAND:
        return f"this user has no permissions to run the '{command.spec.name.decode().lower()}' command"
    return f"this user has no permissions to access one of the {denial.reason.name.lower()}s used as arguments"


def _note(command: Command, context: Context, reason: Reason, subject: bytes, user: bytes) -> None:
    session = command.session
    where = b"multi" if State.IN_TRANSACTION in session.states else b"toplevel"
    client = line_of(session).encode("latin-1", "replace")
    context.acl_log.add(Entry(reason.name.lower().encode(), where, subject, user, time.time(), client))


HANDLERS = {b"AUTH": auth}
