import pytest

from rproxy.commands.catalog import Catalog
from rproxy.commands.key_flags import has_keys, uses_of

READ, BOTH, OVER = ("RO", "access"), ("RW", "access", "update"), ("OW", "update")


def uses(line: str) -> list[tuple[int, tuple[str, ...]]]:
    catalog, args = Catalog(), line.encode().split()
    spec = catalog.names.get(args[0])
    return uses_of(spec, args, catalog)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("SET k v", [(1, OVER)]),
        ("SET k GET", [(1, OVER)]),
        ("SET k v EX 9 get", [(1, BOTH)]),
        ("BITFIELD k", [(1, READ)]),
        ("BITFIELD k get u8 0 OVERFLOW sat GET u4 8", [(1, READ)]),
        ("BITFIELD k GET u8 0 INCRBY u8 0 1", [(1, BOTH)]),
        ("BITFIELD k GET u8", [(1, BOTH)]),
        ("SORT k BY w_* STORE d", [(1, READ), (5, OVER)]),
        ("SORT k", [(1, READ)]),
        ("MSET a 1 b 2", [(1, OVER), (3, OVER)]),
    ],
)
def test_what_a_command_line_does_with_its_keys(line: str, expected: list[tuple[int, tuple[str, ...]]]) -> None:
    assert [(position, tuple(flags)) for position, flags in uses(line)] == [
        (position, tuple(flags)) for position, flags in expected
    ]


@pytest.mark.parametrize(("name", "expected"), [("GET", True), ("PING", False), ("SPUBLISH", False), ("EVAL", True)])
def test_which_commands_may_have_keys(name: str, expected: bool) -> None:
    catalog = Catalog()
    assert has_keys(catalog.names.get(name.encode()), catalog) is expected
