"""What COMMAND tells of one command: rows and learned commands, containers, and nothing that is refused."""

from __future__ import annotations

from typing import Any

import pytest

from rproxy.commands import info
from rproxy.commands.catalog import Catalog
from rproxy.commands.key_spec import parse
from rproxy.commands.lookup import COMMANDS, SPECS, resolve
from rproxy.commands.spec import Access, CommandSpec, Plan
from rproxy.commands.table import GROUPS
from rproxy.resp.encode import Distinct

CATALOG = Catalog()
LEARNED = len(SPECS)
"""The index of the first command behind the table's."""


def command(name: str, plan: Plan = Plan.PLAIN, **columns: Any) -> CommandSpec:
    """A row as those of the table, or a learned one."""
    return CommandSpec(name.encode(), 2, Access.READ, plan=plan, index=LEARNED, **columns)


def container(*subcommands: CommandSpec) -> CommandSpec:
    """BOX, which is no command itself."""
    known = {spec.name.partition(b"|")[2]: spec for spec in subcommands}
    return command("BOX", Plan.UNSUPPORTED, subcommands=known)


KEPT = command("BOX|KEPT")
GONE = command("BOX|GONE", Plan.UNSUPPORTED, refusal="ERR BOX GONE is not available through rproxy")


@pytest.mark.parametrize(
    ("spec", "is_supported"),
    [
        (command("X"), True),
        (command("X", Plan.LOCAL), True),
        (GONE, False),
        (container(GONE), False),
        (container(GONE, KEPT), True),
        (container(), False),
    ],
)
def test_a_container_is_supported_with_any_of_its_subcommands(spec: CommandSpec, is_supported: bool) -> None:
    assert info.is_supported(spec) is is_supported


def test_what_clients_may_ask_is_supported() -> None:
    for spec in SPECS:
        if spec.access is Access.READ:
            assert info.is_supported(spec), spec


def test_commands_and_subcommands_are_told_apart_and_what_is_refused_left_out() -> None:
    specs = [command("X"), container(GONE), KEPT, GONE]
    assert [spec.name for spec in info.described(specs)] == [b"X"]
    assert list(info.described(specs, within=True)) == [KEPT]


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("GET", "Forwarded to the shard of its key."),
        ("ZUNION", "Forwarded to the shard of its keys, which must share a slot."),
        ("RENAME", "Forwarded to the shard of its keys, which must share a slot."),
        ("EVAL", "Forwarded to the shard of its keys, which must share a slot."),
        ("PUBLISH", "Forwarded to any shard."),
        ("MGET", "Split by slot where its keys do not share one; atomic per slot."),
        ("DBSIZE", "Sent to every shard; the replies become one."),
        ("PING", "Answered by rproxy."),
        ("OBJECT", "A container of subcommands."),
        ("CLUSTER MEET", "CLUSTER MEET is not available through rproxy: it acts on one node"),
    ],
)
def test_a_summary_says_what_rproxy_does(name: str, summary: str) -> None:
    assert info.summary_of(resolve(COMMANDS, name.encode().split())) == summary


def test_every_spec_has_a_summary() -> None:
    for spec in SPECS:
        summary = info.summary_of(spec)
        assert summary
        assert not summary.startswith("ERR")


def test_names_are_shown_in_lower_case() -> None:
    assert info.shown_name(command("OBJECT|FREQ")) == b"object|freq"


def test_every_row_has_the_group_that_it_stands_in() -> None:
    groups = {row.name: group for group, rows in GROUPS.items() for row in rows}
    shown = {spec.name.decode(): info.group_of(spec) for spec in SPECS}
    assert shown == groups


def test_the_group_of_a_learned_command_is_not_told() -> None:
    assert info.group_of(command("JSON.GET")) == "module"


def test_categories_are_those_of_the_flags_and_the_group() -> None:
    assert info.categories(resolve(COMMANDS, [b"LPUSH"])) == ["write", "list", "fast"]
    assert info.categories(resolve(COMMANDS, [b"OBJECT"])) == ["slow"]
    assert info.categories(command("JSON.GET", flags=frozenset({"readonly", "fast"}))) == ["read", "fast"]


def test_no_flag_of_the_table_is_left_out() -> None:
    assert {flag for spec in SPECS for flag in spec.flags} <= set(info.FLAGS)
    assert len(info.FLAGS) == len(set(info.FLAGS))


def test_the_ten_elements_of_a_command() -> None:
    catalog = Catalog()
    key_spec = parse("RO access @1")
    catalog.key_specs[b"X.GET"] = (key_spec,)
    spec = command("X.GET", first_key=1, last_key=-1, key_step=2, flags=frozenset({"fast", "module", "readonly"}))
    assert info.info_of(spec, catalog) == [
        *(b"x.get", 2, ("readonly", "module", "fast"), 1, -1, 2),
        *(("@read", "@fast"), (), (key_spec.value(),), ()),
    ]


def test_policies_are_shown_as_tips_in_bulk_strings_where_flags_are_simple_ones() -> None:
    shown = info.info_of(resolve(COMMANDS, [b"DEL"]), CATALOG)
    assert shown[2] == ("write",)
    assert shown[7] == (b"request_policy:multi_shard", b"response_policy:agg_sum")


def test_what_has_no_order_is_a_set_in_resp3() -> None:
    shown = info.info_of(resolve(COMMANDS, [b"GET"]), CATALOG)
    assert [type(element) is Distinct for element in shown] == [place in (2, 6, 7, 8, 9) for place in range(10)]


def test_a_container_is_shown_with_what_is_supported_of_it() -> None:
    assert info.info_of(container(GONE, KEPT), CATALOG)[9] == (info.info_of(KEPT, CATALOG),)


def test_docs_of_a_row_say_since_when_there_is_the_command() -> None:
    assert info.docs_of(resolve(COMMANDS, [b"GETEX"])) == {
        b"summary": b"Forwarded to the shard of its key.",
        b"since": b"6.2.0",
        b"group": b"string",
    }


def test_docs_of_a_learned_container_say_of_its_subcommands_what_is_known() -> None:
    assert info.docs_of(container(GONE, KEPT)) == {
        b"summary": b"A container of subcommands.",
        b"group": b"module",
        b"subcommands": {b"box|kept": {b"summary": b"Forwarded to the shard of its key.", b"group": b"module"}},
    }
