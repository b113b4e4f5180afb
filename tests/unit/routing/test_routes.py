import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.routing.routes import MirrorRule, Route, RouteTable

USERS = Route("users", b"user:")
VIPS = Route("vips", b"user:vip:")
REST = Route("rest")


@pytest.mark.parametrize(
    ("key", "route"),
    [
        (b"user:1", USERS),
        (b"user:", USERS),
        (b"user:vip:1", VIPS),
        (b"user:vip", USERS),
        (b"user", REST),
        (b"", REST),
        (b"USER:1", REST),
        (b"xuser:1", REST),
    ],
)
def test_the_longest_prefix_wins_then_the_catch_all(key: bytes, route: Route) -> None:
    assert RouteTable([USERS, VIPS], catch_all=REST).match(key) is route
    assert RouteTable([VIPS, USERS], catch_all=REST).match(key) is route


def test_without_a_catch_all_a_key_may_have_no_route() -> None:
    table = RouteTable([USERS])
    assert table.match(b"user:1") is USERS
    assert table.match(b"order:1") is None
    assert table.only is None
    assert table.routes == (USERS,)


def test_a_catch_all_alone_is_the_only_route() -> None:
    table = RouteTable([], catch_all=REST)
    assert table.only is REST
    assert table.match(b"anything") is REST
    assert table.routes == (REST,)


def test_an_empty_prefix_alone_is_the_only_route() -> None:
    table = RouteTable([REST])
    assert table.only is REST
    assert table.match(b"") is REST


def test_an_empty_prefix_stands_before_the_catch_all() -> None:
    everything = Route("everything")
    table = RouteTable([everything, USERS], catch_all=REST)
    assert table.only is None
    assert table.match(b"x") is everything
    assert table.match(b"user:1") is USERS
    assert table.routes == (everything, USERS, REST)


def test_a_table_without_routes_matches_nothing() -> None:
    table = RouteTable([])
    assert table.only is None
    assert table.match(b"x") is None


def test_case_may_be_ignored() -> None:
    mixed = Route("mixed", b"User:", remove_prefix=True)
    table = RouteTable([mixed], catch_all=REST, case_insensitive=True)
    assert table.match(b"uSER:Ann") is mixed
    assert mixed.upstream_key(b"uSER:Ann") == b"Ann"
    assert table.match(b"uSE") is REST


def test_a_prefix_is_removed_only_where_the_route_says_so() -> None:
    assert USERS.upstream_key(b"user:1") == b"user:1"
    assert Route("users", b"user:", remove_prefix=True).upstream_key(b"user:1") == b"1"


def test_a_prefix_stands_once() -> None:
    with pytest.raises(ValueError, match="prefix 'user:' has two routes"):
        RouteTable([USERS, Route("other", b"user:")])
    with pytest.raises(ValueError, match="prefix 'USER:' has two routes"):
        RouteTable([USERS, Route("other", b"USER:")], case_insensitive=True)
    assert len(RouteTable([USERS, Route("other", b"USER:")]).routes) == 2


def test_a_catch_all_has_no_prefix() -> None:
    with pytest.raises(ValueError, match="a catch-all route has no prefix"):
        RouteTable([], catch_all=USERS)


PREFIXES = st.binary(max_size=3).map(lambda raw: bytes(byte % 3 + 97 for byte in raw))


@given(st.sets(PREFIXES, max_size=8), PREFIXES.flatmap(lambda head: PREFIXES.map(head.__add__)))
def test_any_key_against_a_plain_search(prefixes: set[bytes], key: bytes) -> None:
    table = RouteTable([Route("c", prefix) for prefix in prefixes])
    expected = max((prefix for prefix in prefixes if key.startswith(prefix)), key=len, default=None)
    match = table.match(key)
    assert (match.prefix if match is not None else None) == expected


@pytest.mark.parametrize(
    ("rule", "is_read", "draw", "is_wanted"),
    [
        (MirrorRule("m"), True, 0.999, True),
        (MirrorRule("m"), False, 0.0, True),
        (MirrorRule("m", exclude_read_commands=True), True, 0.0, False),
        (MirrorRule("m", exclude_read_commands=True), False, 0.0, True),
        (MirrorRule("m", fraction=0.25), True, 0.249, True),
        (MirrorRule("m", fraction=0.25), True, 0.25, False),
        (MirrorRule("m", fraction=0.0), False, 0.0, False),
    ],
)
def test_what_a_mirror_wants(rule: MirrorRule, is_read: bool, draw: float, is_wanted: bool) -> None:
    assert rule.wants(is_read, draw) is is_wanted
