"""What differs from a single Redis server: of commands that are executed, and true to the table and the settings."""

from __future__ import annotations

import re

from rproxy.commands.differences import DIFFERENCES
from rproxy.commands.lookup import SPECS
from rproxy.commands.spec import Plan, Transaction
from rproxy.config.keys import keys

EXECUTED = {spec.name.decode(): spec for spec in SPECS if spec.plan != Plan.UNSUPPORTED}


def test_differences_are_of_commands_that_are_executed() -> None:
    assert set(DIFFERENCES) <= set(EXECUTED)


def test_differences_stand_in_order() -> None:
    assert list(DIFFERENCES) == sorted(DIFFERENCES)


def test_a_text_is_of_sentences_that_fit_into_a_cell_of_a_table() -> None:
    for name, text in DIFFERENCES.items():
        assert text == " ".join(text.split()), name
        assert text.endswith("."), name
        assert "|" not in text, name
        assert text.count("`") % 2 == 0, name


def test_who_reads_as_another_command_finds_what_that_says() -> None:
    referred = {name for text in DIFFERENCES.values() for name in re.findall(r"\bAs ([A-Z_]{2,})", text)}
    assert {"EVALSHA", "WAIT"} <= referred <= set(DIFFERENCES)


def test_settings_are_named_as_they_are_in_the_configuration() -> None:
    named = {word for text in DIFFERENCES.values() for word in re.findall(r"`([a-z]+_[a-z_]+)`", text)}
    assert "keys_reply_limit" in named
    assert named <= {key.name for key in keys()}


def test_what_a_transaction_refuses_says_so() -> None:
    refused = {name for name, spec in EXECUTED.items() if spec.transaction is Transaction.REFUSE}
    assert {name for name, text in DIFFERENCES.items() if text.endswith("Not inside a transaction.")} == refused


def test_what_blocks_says_that_it_has_a_connection_of_its_own() -> None:
    blocking = {name for name, spec in EXECUTED.items() if "blocking" in spec.flags} - {"WAITAOF"}
    own = "While it waits, the client has a connection of its own, from a bounded number. It is not mirrored."
    assert {name for name, text in DIFFERENCES.items() if text.endswith(own)} == blocking
