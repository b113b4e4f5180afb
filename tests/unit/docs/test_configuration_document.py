"""docs/configuration.md against the models: every key, no other, and the defaults in force."""

import re
from typing import Any, get_args

import pytest
from project_markdown import ROOT
from pydantic import BaseModel

from rproxy.config.loader import masked, parse
from rproxy.config.models import Config

TEXT = (ROOT / "docs/configuration.md").read_text()
_SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| `(\w+)` \| (?:`([^`]*)`|(required)|) ?\| .+ \|$", re.MULTILINE)
SMALLEST = """
listeners:
- name: redis
  address: 127.0.0.1:6380
  redis_proxy:
    stat_prefix: redis_stats
    prefix_routes:
      routes: [{prefix: a, cluster: main, request_mirror_policy: [{cluster: mirror}]}]
      catch_all_route: {cluster: main, request_mirror_policy: [{cluster: mirror}]}
clusters:
- {name: main, endpoints: [localhost:6379]}
- {name: mirror, endpoints: [localhost:6379]}
"""


def documented() -> dict[str, dict[str, str]]:
    """Key to default (``""`` if it has none worth naming) of each section's first table."""
    sections = {}
    for title, body in _SECTION.findall(TEXT):
        table = body[body.index("| key |") :].partition("\n\n")[0]
        rows = {key: default or required for key, default, required in _ROW.findall(table)}
        assert len(rows) == table.strip().count("\n") - 1, f"a row of {title} is not in the form of the others"
        sections[title.strip("`").removesuffix("[]")] = rows
    return sections


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models in an annotation, inside optionals, unions and sequences too."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def modelled(model: type[BaseModel] = Config, path: str = "") -> dict[str, type[BaseModel]]:
    """Section title to model, in the words of the document."""
    found = {path or "Top level": model}
    for name, field in model.model_fields.items():
        for part in models_in(field.annotation):
            is_list = part is not field.annotation and any(
                origin in repr(field.annotation) for origin in ("list[", "tuple[", "Sequence[")
            )
            title = f"{path}.{name}".lstrip(".") + ("[]" if is_list else "")
            title = "request_mirror_policy[]" if name == "request_mirror_policy" else title
            found |= modelled(part, title)
    return {title.removesuffix("[]"): model for title, model in found.items()}


SECTIONS = documented()
MODELS = modelled()


def test_every_model_has_its_section() -> None:
    assert set(SECTIONS) == set(MODELS)


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_every_key_is_documented_and_no_other(section: str) -> None:
    assert set(SECTIONS[section]) == set(MODELS[section].model_fields)


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_required_keys_are_called_so(section: str) -> None:
    required = {name for name, field in MODELS[section].model_fields.items() if field.is_required()}
    assert {key for key, default in SECTIONS[section].items() if default == "required"} == required


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_documented_defaults_are_in_force(section: str) -> None:
    place: Any = masked(parse(SMALLEST, "smallest"))
    path = "" if section == "Top level" else section
    if path == "request_mirror_policy":
        path = "listeners[].redis_proxy.prefix_routes.catch_all_route.request_mirror_policy"
    for step in filter(None, path.replace("[]", "").split(".")):
        place = place[step]
        place = place[0] if isinstance(place, list) else place
    for key, default in SECTIONS[section].items():
        if default not in ("", "required") and key not in ("routes", "request_mirror_policy"):
            assert as_text(place[key]) == default, key


def as_text(value: Any) -> str:
    """A value as YAML would show it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
