"""The generated schema and the example files in config/: up to date, complete, and true."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rproxy.config.keys import keys
from rproxy.config.loader import load
from rproxy.config.schema import schema, schema_text
from tests.support.certificates import Authority

CONFIG = Path(__file__).parents[3] / "config"
FULL = (CONFIG / "full.yaml").read_text()
COMMENTED_KEY = re.compile(r"^( *)# ( *[a-z_]+:)", re.MULTILINE)
"""The keys that cannot stand beside another, ``password``, and those that name files which have to be there."""
SECTIONS = {key.path for key in keys() if key.is_section}


def places(data: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every key in ``data`` as a path of ``keys()``, with its value."""
    for name, value in data.items():
        if isinstance(value, dict):
            yield f"{prefix}{name}", value
            yield from places(value, f"{prefix}{name}.")
        elif f"{prefix}{name}[]" in SECTIONS:
            yield f"{prefix}{name}[]", value
            for element in value:
                yield from places(element, f"{prefix}{name}[].")
        else:
            yield f"{prefix}{name}", value


def test_the_schema_file_is_up_to_date() -> None:
    hint = "run: python -m rproxy.config.schema > config/rproxy.schema.json"
    assert (CONFIG / "rproxy.schema.json").read_text() == schema_text(), hint


def test_the_schema_describes_every_key_and_allows_no_other() -> None:
    sections = [schema(), *schema()["$defs"].values()]
    assert all(section["additionalProperties"] is False for section in sections)
    described = {name for section in sections for name, key in section["properties"].items() if key["description"]}
    assert described == {key.name for key in keys()}


def test_the_schema_has_defaults_as_a_file_writes_them() -> None:
    cluster = schema()["$defs"]["ClusterConfig"]
    assert cluster["properties"]["connect_timeout"]["default"] == "0.5s"
    assert cluster["required"] == ["name", "endpoints"]
    assert "default" not in cluster["properties"]["password"]
    json.dumps(schema())


def test_patterns_of_the_schema_fit_the_defaults() -> None:
    for section in [schema(), *schema()["$defs"].values()]:
        for key in section["properties"].values():
            default = key.get("default")
            patterns = [part["pattern"] for part in (key, *key.get("anyOf", ())) if "pattern" in part]
            assert not isinstance(default, str) or all(re.search(pattern, default) for pattern in patterns)


@pytest.mark.parametrize("name", ["minimal.yaml", "full.yaml"])
def test_an_example_is_a_configuration(name: str) -> None:
    assert load(CONFIG / name).clusters[0].name == "main"


def test_the_minimal_example_has_only_what_is_needed() -> None:
    needed = {key.path for key in keys() if key.is_required}
    data = yaml.safe_load((CONFIG / "minimal.yaml").read_text())
    optional = {path for path, _ in places(data)} - needed
    assert optional == {"listeners[].redis_proxy.prefix_routes.catch_all_route"}


def test_the_full_example_names_every_key() -> None:
    named = {path for path, _ in places(yaml.safe_load(COMMENTED_KEY.sub(r"\1\2", FULL)))}
    same_below = "listeners[].redis_proxy.prefix_routes.routes[].request_mirror_policy[]."
    assert named == {key.path for key in keys() if not key.path.startswith(same_below)}


def test_the_full_example_has_the_defaults() -> None:
    data = yaml.safe_load(FULL)
    data["clusters"] = data["clusters"][:1]
    shown = dict(places(data))
    defaults = {key.path: key.default for key in keys() if key.default is not None and key.path in shown}
    assert {path: shown[path] for path in defaults} == defaults
    assert len(defaults) > 30


def test_every_key_of_the_full_example_has_a_comment() -> None:
    main = FULL[: FULL.index("- name: sessions")] + FULL[FULL.index("drain_timeout:") :]
    lines = [line for line in main.splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.search(r" # \w", line)] == []


def test_the_commented_keys_can_stand_where_they_are(tmp_path: Path) -> None:
    text = COMMENTED_KEY.sub(r"\1\2", re.sub(r"^ *password: .*\n", "", FULL, flags=re.MULTILINE))
    for name in ("clients", "nodes"):
        Authority(tmp_path, name)
    for name in ("server", "client"):
        Authority(tmp_path).sign(name)
    for name in ("main.password", "redis-1.password"):
        (tmp_path / name).write_text("secret\n")
    (tmp_path / "full.yaml").write_text(text)
    config = load(tmp_path / "full.yaml")
    cluster = config.clusters[0]
    assert cluster.tls is not None
    assert config.admin is not None
    assert config.admin.tls == config.listeners[0].tls is not None
    for password in (cluster.password, cluster.endpoint_auth[0].password):
        assert password is not None
        assert password.get_secret_value() == "secret"
