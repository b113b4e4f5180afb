"""What commands do with their keys: complete, each command once, and in accord with the rows and the key finders."""

from __future__ import annotations

import pytest

from rproxy.commands import key_uses
from rproxy.commands.key_spec import in_range, parse
from rproxy.commands.key_uses import KEY_SPECS
from rproxy.commands.keys import key_positions
from rproxy.commands.lookup import COMMANDS, SPECS, resolve
from rproxy.commands.spec import Access, CommandSpec

CHANGES = {"insert", "update", "delete"}
READ_OR_WRITTEN = {"RO", "RW", "OW", "RM"}


def has_keys(spec: CommandSpec) -> bool:
    return spec.first_key > 0 or spec.find_keys is not None


def test_every_key_of_the_table_has_a_specification() -> None:
    assert KEY_SPECS.keys() == {spec.name for spec in SPECS if has_keys(spec)}
    assert all(KEY_SPECS.values())


def test_no_command_stands_in_two_places() -> None:
    names = " ".join(key_uses._USES.values()).split()
    assert sorted(names) == sorted(set(names))


def test_one_specification_at_a_fixed_place_is_where_the_row_says() -> None:
    for spec in SPECS:
        key_specs = KEY_SPECS.get(spec.name, ())
        if len(key_specs) == 1 and spec.first_key > 0:
            (found,) = key_specs
            assert found == in_range(found.flags, spec.first_key, spec.last_key, spec.key_step, found.note), spec


def test_flags_are_words_of_redis() -> None:
    flags = {flag for key_specs in KEY_SPECS.values() for found in key_specs for flag in found.flags}
    assert flags == READ_OR_WRITTEN | CHANGES | {"access", "incomplete", "not_key", "variable_flags"}


def test_a_key_is_read_written_or_removed_and_what_is_only_read_does_not_change() -> None:
    for name, key_specs in KEY_SPECS.items():
        for flags, is_of_keys in ((set(found.flags), found.is_of_keys) for found in key_specs):
            assert len(flags & READ_OR_WRITTEN) == is_of_keys, name
            assert not flags & CHANGES or flags & READ_OR_WRITTEN - {"RO"}, name


def test_a_read_changes_no_key_but_what_pfcount_caches_in_it() -> None:
    reads = [spec.name for spec in SPECS if spec.access is Access.READ]
    changing = {name for name in reads for found in KEY_SPECS.get(name, ()) if "RO" not in found.flags}
    assert changing == {b"PFCOUNT"}


def test_a_write_changes_a_key_unless_it_is_a_group_that_changes() -> None:
    writes = [spec.name for spec in SPECS if spec.access is Access.WRITE and spec.name in KEY_SPECS]
    reading = {name for name in writes if all({"RO"} & set(found.flags) for found in KEY_SPECS[name])}
    assert reading == {b"XREADGROUP"}


@pytest.mark.parametrize(
    ("line", "uses"),
    [
        ("GET k", "RO access 1"),
        ("MSET a 1 b 2", "OW update 1,3"),
        ("OBJECT FREQ k", "RO 2"),
        ("MSETEX 2 a 1 b 2 NX", "OW update 2,4"),
        ("COPY a b", "RO access 1; OW update 2"),
        ("RENAME a b", "RW access delete 1; OW update 2"),
        ("LMOVE a b LEFT RIGHT", "RW access delete 1; RW insert 2"),
        ("BITOP AND d a b", "OW update 2; RO access 3,4"),
        ("SINTERSTORE d a b", "RW update 1; RO access 2,3"),
        ("PFMERGE d a b", "RW access insert 1; RO access 2,3"),
        ("ZUNION 2 a b WITHSCORES", "RO access 2,3"),
        ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", "OW update 1; RO access 3,4"),
        ("LMPOP 2 a b LEFT", "RW access delete 2,3"),
        ("BLMPOP 0 2 a b LEFT", "RW access delete 3,4"),
        ("EVAL s 2 a b c", "RW access update 3,4"),
        ("EVAL_RO s 0 c", "RO access "),
        ("XREAD COUNT 1 STREAMS a b 0 0", "RO access 4,5"),
        ("XREADGROUP GROUP g c STREAMS a b > >", "RO access 5,6"),
        ("GEORADIUS k 1 2 3 m STORE d", "RO access 1; OW update 7; OW update "),
        ("GEORADIUSBYMEMBER k x 3 m STOREDIST d", "RO access 1; OW update ; OW update 6"),
    ],
)
def test_what_happens_to_which_keys(line: str, uses: str) -> None:
    args = line.encode().split()
    spec = resolve(COMMANDS, args)
    places = [found.positions(args) for found in KEY_SPECS[spec.name]]
    shown = [" ".join(found.flags) for found in KEY_SPECS[spec.name]]
    assert "; ".join(f"{what} {','.join(map(str, at))}" for what, at in zip(shown, places, strict=True)) == uses
    assert sorted(key_positions(spec, args)) == sorted(place for at in places for place in at)


def test_notes_stand_with_the_specification_that_they_are_about() -> None:
    source, patterns, target = KEY_SPECS[b"SORT"]
    assert source.note == ""
    assert patterns.note.startswith("For the optional BY/GET keyword.")
    assert target.note.startswith("For the optional STORE keyword.")
    assert KEY_SPECS[b"SORT_RO"] == (source, patterns)
    assert KEY_SPECS[b"SET"][0].note == "RW and ACCESS due to the optional `GET` argument"


def test_every_note_is_of_a_specification() -> None:
    for name, notes in key_uses._NOTES.items():
        assert [found.note for found in KEY_SPECS[name.encode()]][: len(notes)] == list(notes)


def test_what_is_found_by_its_content_is_no_place() -> None:
    patterns = parse("RO access @?")
    assert KEY_SPECS[b"SORT_RO"][1].begin == patterns.begin
    assert [found.is_usable for found in KEY_SPECS[b"SORT"]] == [True, False, False]


def test_channels_of_a_shard_are_no_keys() -> None:
    channels = {name for name, key_specs in KEY_SPECS.items() if not any(found.is_of_keys for found in key_specs)}
    assert channels == {b"SPUBLISH", b"SSUBSCRIBE", b"SUNSUBSCRIBE"}
