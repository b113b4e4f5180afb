"""The types of the models' fields: how a value is read, bounded, written back, and described in the JSON Schema."""

from __future__ import annotations

import re
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le
from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    Strict,
    StringConstraints,
    WithJsonSchema,
)

from rproxy.acl.rules import masked_rules, user_of
from rproxy.config import converters
from rproxy.topology.read_policy import ReadPolicy

MASK = "********"
"""What is shown in place of a secret."""

_DAY = 86400.0
_TEBIBYTE = 1024**4
_READ_POLICIES = [policy.value for policy in ReadPolicy]
_ENVOY_READ_POLICIES = ["MASTER", "PREFER_MASTER", "REPLICA", "PREFER_REPLICA", "ANY"]


def _read_policy(value: object) -> ReadPolicy:
    return value if isinstance(value, ReadPolicy) else ReadPolicy.parse(str(value))


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _user_name(value: str) -> str:
    if not value or re.search(r"[\s\0]", value):
        raise ValueError("a user's name has no blanks and is not empty")
    return value


def _rules(value: SecretStr) -> SecretStr:
    user_of("", value.get_secret_value())
    return value


def _text(pattern: str, **keywords: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", **keywords})


def _text_or_number(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "string", "pattern": f"^{pattern}$"}, {"type": "number", "minimum": 0}]})


_Seconds = Annotated[
    float,
    Le(_DAY),
    BeforeValidator(converters.duration),
    PlainSerializer(converters.duration_text, return_type=str),
    _text_or_number(converters.DURATION_PATTERN),
]
Duration = Annotated[_Seconds, Ge(0)]
"""Seconds, 0 to a day."""
Timeout = Annotated[_Seconds, Gt(0)]
"""Seconds, more than 0, at most a day."""

Size = Annotated[
    int,
    Gt(0),
    Le(_TEBIBYTE),
    BeforeValidator(converters.size),
    PlainSerializer(converters.size_text, return_type=str | int),
    _text_or_number(converters.SIZE_PATTERN),
]
"""A number of bytes."""

Fraction = Annotated[
    float,
    BeforeValidator(converters.percentage),
    PlainSerializer(converters.percentage_text, return_type=str),
    _text(converters.PERCENTAGE_PATTERN),
]
"""A share from 0 to 1, written as a percentage."""

Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Ge(0)]
"""A whole number, 0 or more."""
Bound = Annotated[int, Strict(), Ge(1), Le(2**31 - 1)]
"""A whole number, 1 or more."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]+$", max_length=100)]
"""A name of a listener or a cluster, as metrics and messages show it."""

ListenAddress = Annotated[
    converters.Address,
    PlainValidator(converters.listen_address),
    PlainSerializer(converters.Address.__str__, return_type=str),
    _text(r"(unix:/.+|.+:[0-9]+)"),
]
TcpAddress = Annotated[
    converters.Address,
    PlainValidator(converters.tcp_address),
    PlainSerializer(converters.Address.__str__, return_type=str),
    _text(r".+:[0-9]+"),
]
EndpointText = Annotated[str, BeforeValidator(converters.endpoint), _text(r".+:[0-9]+")]
"""``host:port`` of a Redis process."""

Policy = Annotated[
    ReadPolicy,
    PlainValidator(_read_policy),
    PlainSerializer(lambda policy: policy.value, return_type=str),
    WithJsonSchema({"type": "string", "enum": [*_READ_POLICIES, *_ENVOY_READ_POLICIES]}),
]

Secret = Annotated[SecretStr, PlainSerializer(lambda _: MASK, return_type=str)]
"""Text that is never shown."""

UserName = Annotated[str, AfterValidator(_user_name)]
"""Whom a client may authenticate as."""
UserRules = Annotated[
    SecretStr,
    AfterValidator(_rules),
    PlainSerializer(lambda rules: masked_rules(rules.get_secret_value()), return_type=str),
]
"""Rules in the notation of ACL SETUSER, separated by blanks; shown without the passwords in them."""

AnyCase = BeforeValidator(_lower)
"""Lets a choice be written in capitals too."""
