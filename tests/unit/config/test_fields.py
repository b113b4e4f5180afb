"""The types of fields: what each takes, its bounds, how it is written back, and that its schema says the same."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from rproxy.config import fields
from rproxy.config.converters import Address
from rproxy.topology.read_policy import ReadPolicy

READS_AS = [
    (fields.Duration, "0s", 0.0),
    (fields.Duration, "250ms", 0.25),
    (fields.Duration, "24h", 86400.0),
    (fields.Duration, 5, 5.0),
    (fields.Timeout, "1ms", 0.001),
    (fields.Size, "64KiB", 65536),
    (fields.Size, 1, 1),
    (fields.Fraction, "12.5%", 0.125),
    (fields.Flag, False, False),
    (fields.Count, 0, 0),
    (fields.Bound, 2**31 - 1, 2**31 - 1),
    (fields.Name, "redis-0.example_1:a", "redis-0.example_1:a"),
    (fields.ListenAddress, "unix:/run/rproxy.sock", Address(path="/run/rproxy.sock")),
    (fields.ListenAddress, "[::]:6379", Address("::", 6379)),
    (fields.TcpAddress, "127.0.0.1:9900", Address("127.0.0.1", 9900)),
    (fields.EndpointText, "redis:6379", "redis:6379"),
    (fields.Policy, "PREFER_MASTER", ReadPolicy.PREFER_PRIMARY),
    (fields.Policy, ReadPolicy.ANY, ReadPolicy.ANY),
]

REFUSED = [
    (fields.Duration, "24.1h", "less than or equal to 86400"),
    (fields.Duration, "soon", "is no duration"),
    (fields.Timeout, "0s", "greater than 0"),
    (fields.Timeout, -1, "greater than 0"),
    (fields.Size, 0, "greater than 0"),
    (fields.Size, "2000GiB", "less than or equal to"),
    (fields.Fraction, 0.5, "is no percentage"),
    (fields.Flag, "true", "valid boolean"),
    (fields.Flag, 1, "valid boolean"),
    (fields.Count, -1, "greater than or equal to 0"),
    (fields.Count, True, "valid integer"),
    (fields.Count, "3", "valid integer"),
    (fields.Bound, 0, "greater than or equal to 1"),
    (fields.Bound, 2**31, "less than or equal to"),
    (fields.Name, "", "match pattern"),
    (fields.Name, "two words", "match pattern"),
    (fields.Name, "x" * 101, "at most 100"),
    (fields.TcpAddress, "unix:/run/rproxy.sock", "is no address"),
    (fields.ListenAddress, 6379, "is no address"),
    (fields.EndpointText, "redis:0", "1 to 65535"),
    (fields.Policy, "nearest", "unknown read policy 'nearest'"),
    (fields.Policy, None, "unknown read policy"),
]


@pytest.mark.parametrize(("kind", "value", "read"), READS_AS)
def test_what_a_field_takes(kind: Any, value: object, read: object) -> None:
    assert TypeAdapter(kind).validate_python(value) == read


@pytest.mark.parametrize(("kind", "value", "message"), REFUSED)
def test_what_a_field_refuses(kind: Any, value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(("kind", "value", "read"), READS_AS)
def test_what_is_written_reads_back_alike(kind: Any, value: object, read: object) -> None:
    adapter = TypeAdapter(kind)
    written = adapter.dump_python(read, mode="json")
    assert isinstance(written, str | int)
    assert adapter.validate_python(written) == read


@pytest.mark.parametrize(("kind", "value", "read"), [row for row in READS_AS if isinstance(row[1], str)])
def test_the_schema_takes_what_the_field_takes(kind: Any, value: str, read: object) -> None:
    schema = TypeAdapter(kind).json_schema()
    choices = [choice for choice in schema.get("anyOf", [schema]) if choice["type"] == "string"]
    assert any(
        value in choice["enum"] if "enum" in choice else re.search(choice["pattern"], value) for choice in choices
    )


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (fields.Duration, "5 seconds"),
        (fields.Duration, "-5s"),
        (fields.Size, "64 bytes"),
        (fields.Fraction, "50"),
        (fields.Name, "two words"),
        (fields.ListenAddress, "unix:relative"),
        (fields.TcpAddress, "localhost"),
        (fields.EndpointText, "redis"),
    ],
)
def test_the_schema_refuses_what_the_field_refuses(kind: Any, value: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)
    schema = TypeAdapter(kind).json_schema()
    assert not any(
        re.search(choice["pattern"], value) for choice in schema.get("anyOf", [schema]) if "pattern" in choice
    )


def test_a_secret_is_never_shown() -> None:
    adapter = TypeAdapter(fields.Secret)
    secret = adapter.validate_python("hushhush")
    assert secret.get_secret_value() == "hushhush"
    assert adapter.dump_python(secret) == adapter.dump_python(secret, mode="json") == fields.MASK
    assert "hushhush" not in f"{secret} {secret!r} {adapter.dump_json(secret)!r}"
