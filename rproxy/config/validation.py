"""From plain data to a ``Config``, or to every problem of the data in the words of the configuration file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rproxy.config.checks import problems_across
from rproxy.config.keys import keys
from rproxy.config.models import Config
from rproxy.config.problems import InvalidConfigError, Loc, Problem, pattern_of

_MESSAGES: dict[str, Callable[[dict[str, Any]], str]] = {
    "bool_type": lambda _: "must be true or false",
    "greater_than": lambda context: f"must be more than {context['gt']:g}",
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "int_type": lambda _: "must be a whole number",
    "less_than_equal": lambda context: f"must be at most {context['le']:.12g}",
    "literal_error": lambda context: f"must be {context['expected']}",
    "missing": lambda _: "is required",
    "model_type": lambda _: "must be a map of keys to values",
    "string_pattern_mismatch": lambda _: "must consist of letters, digits and _ . : -",
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "string_too_short": lambda _: "must not be empty",
    "string_type": lambda _: "must be text; what YAML takes for a number, a date or yes and no needs quotes",
    "too_short": lambda _: "must not be empty",
    "tuple_type": lambda _: "must be a list",
    "value_error": lambda context: str(context["error"]),
}
"""By pydantic's type of error, what a user is told. No message shows a value that may be a secret."""


def validate(data: object) -> Config:
    """The configuration of ``data``, plain values as YAML gives them. Raises ``InvalidConfigError``."""
    problems = list(problems_across(data))
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        problems += _problems_of(error.errors(include_url=False, include_input=False))
        raise InvalidConfigError(problems) from None
    if problems:
        raise InvalidConfigError(problems)
    return config


def _problems_of(errors: list[ErrorDetails]) -> Iterator[Problem]:
    for error in errors:
        loc = error["loc"]
        if error["type"] == "too_short" and any(other["loc"][: len(loc)] == loc != other["loc"] for other in errors):
            continue  # pydantic counts the elements that are right: the others have been reported
        yield Problem(loc, _message(error))


def _message(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return _about_unknown_key(error["loc"])
    wording = _MESSAGES.get(error["type"])
    return wording(error.get("ctx", {})) if wording else error["msg"]


_SLIP = 0.9
"""How alike a key and one of its section's have to be to be the same but for a slip of the finger."""


def _about_unknown_key(loc: Loc) -> str:
    """``unknown key``, with the nearest key of the section, or where a key of that name belongs."""
    name, parent = str(loc[-1]), pattern_of(loc[:-1])
    siblings = [key.name for key in keys() if key.parent == parent]
    elsewhere = [key.path for key in keys() if key.name == name]
    near = get_close_matches(name, siblings, n=1)
    is_slip = bool(get_close_matches(name, siblings, n=1, cutoff=_SLIP))
    if elsewhere and not is_slip:
        return f"unknown key here; it belongs at {' or '.join(elsewhere)}"
    if near:
        return f"unknown key; did you mean {near[0]}?"
    return f"unknown key; there are {', '.join(siblings)}"
