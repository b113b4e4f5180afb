"""What every section shares: it takes no other key, does not change, tells no values, and describes its keys."""

from __future__ import annotations

import pydantic
import pytest

from rproxy.config import models
from rproxy.config.section import Section


class Lamp(Section):
    """A section."""

    colour: str = "red"
    """What it looks like."""


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(pydantic.ValidationError) as error:
        Lamp.model_validate({"color": "red"})
    assert [(found["loc"], found["type"]) for found in error.value.errors()] == [(("color",), "extra_forbidden")]


def test_nothing_can_be_changed() -> None:
    lamp = Lamp()
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        lamp.colour = "green"
    assert lamp == Lamp()


def test_an_error_does_not_show_the_value() -> None:
    with pytest.raises(pydantic.ValidationError) as error:
        Lamp.model_validate({"colour": ["hunter2"], "password": "hunter2"})
    assert error.value.error_count() == 2
    assert "hunter2" not in str(error.value)


def test_a_key_is_described_by_the_text_below_it() -> None:
    assert Lamp.model_fields["colour"].description == "What it looks like."


def test_every_model_of_the_configuration_is_a_section() -> None:
    assert issubclass(models.Config, Section)
    own = {model for model in pydantic.BaseModel.__subclasses__() if model.__module__.startswith("rproxy.config.")}
    assert own == {Section}
