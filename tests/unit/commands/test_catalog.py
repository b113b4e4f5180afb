"""What a worker knows: the table, and what it learned."""

from __future__ import annotations

from rproxy.commands.catalog import LEARNED_MOST, Catalog
from rproxy.commands.lookup import COMMANDS, SPECS
from tests.support.described import entry


def test_at_first_it_is_the_table() -> None:
    catalog = Catalog()
    assert catalog.specs == list(SPECS)
    assert catalog.names.get(b"get") is COMMANDS.get(b"GET")
    assert list(catalog.learned) == []
    assert not catalog.is_learned(catalog.specs[-1])


def test_what_is_learned_stands_behind_the_table() -> None:
    catalog = Catalog()
    found = catalog.learn([entry(b"json.set"), entry(b"json.get", "readonly")])
    assert [spec.name for spec in found] == [b"JSON.SET", b"JSON.GET"]
    assert list(catalog.learned) == found
    assert catalog.names.get(b"Json.Set") is found[0]
    assert all(catalog.specs[spec.index] is spec and catalog.is_learned(spec) for spec in found)
    assert COMMANDS.get(b"JSON.SET") is None


def test_a_command_that_is_described_anew_keeps_its_index() -> None:
    catalog = Catalog()
    (before,) = catalog.learn([entry(b"json.set")])
    assert catalog.learn([entry(b"json.set", arity=-4), entry(b"json.del")]) == [catalog.names.get(b"JSON.DEL")]
    after = catalog.names.get(b"JSON.SET")
    assert (after.index, after.arity) == (before.index, -4)
    assert catalog.specs[before.index] is after


def test_subcommands_have_an_index_each() -> None:
    catalog = Catalog()
    subcommands = (entry(b"x.c|a"), entry(b"x.c|b"))
    found = catalog.learn([entry(b"x.c", "module", (0, 0, 0), subcommands=subcommands), entry(b"x.d")])
    assert sorted(spec.name for spec in found) == [b"X.C", b"X.C|A", b"X.C|B", b"X.D"]
    assert sorted(spec.index for spec in found) == [len(SPECS) + number for number in range(4)]
    assert all(catalog.specs[spec.index] is spec for spec in found)


def test_rows_of_the_table_stay() -> None:
    catalog = Catalog()
    assert catalog.unknown([b"get", b"JSON.SET", b"json.x|y", b"config|get", 7, None]) == [b"JSON.SET"]
    assert catalog.learn([entry(b"get"), entry(b"config", subcommands=(entry(b"config|new"),))]) == []
    assert catalog.names.get(b"GET") is COMMANDS.get(b"GET")


def test_names_of_http_are_no_commands_whatever_a_node_says() -> None:
    catalog = Catalog()
    names = [b"post", b"host:", b"json.set"]
    assert catalog.unknown(names) == [b"json.set"]
    assert [spec.name for spec in catalog.learn(map(entry, names))] == [b"JSON.SET"]
    assert catalog.names.get(b"POST") is None


def test_nonsense_is_passed_over() -> None:
    catalog = Catalog()
    (found,) = catalog.learn([None, 7, [], [None], [b"x.y", b"z"], entry(b"x.y", keys=(3, 1, 1)), entry(b"x.z")])
    assert found.name == b"X.Z"


def test_there_is_a_bound() -> None:
    catalog = Catalog()
    catalog.learn(entry(b"x.%d" % number) for number in range(LEARNED_MOST - 1))
    subcommands = (entry(b"y.c|a"), entry(b"y.c|b"))
    assert catalog.learn([entry(b"y.c", subcommands=subcommands)]) == []
    assert [spec.name for spec in catalog.learn([entry(b"y.a"), entry(b"y.b")])] == [b"Y.A"]
    assert len(catalog.learned) == LEARNED_MOST
    assert len(catalog.unknown(b"z.%d" % number for number in range(10_000))) == LEARNED_MOST
