import os
from pathlib import Path

import pytest

from rproxy.config.source import ConfigFile
from rproxy.errors import ConfigError

TEXT = """
listeners:
- name: redis
  address: 127.0.0.1:0
  redis_proxy:
    prefix_routes: {catch_all_route: {cluster: main}}
    downstream_auth_password_files: [clients]
    users:
    - {name: app, rules: on +@all, password_files: [app]}
clusters:
- name: main
  endpoints: [127.0.0.1:1]
  password_file: nodes
  endpoint_auth:
  - {endpoint: "127.0.0.1:2", password_file: node}
"""
SECRETS = ("clients", "app", "nodes", "node")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "rproxy.yaml").write_text(TEXT)
    for name in SECRETS:
        (tmp_path / name).write_text("secret")
    return tmp_path


@pytest.mark.parametrize("name", ["rproxy.yaml", *SECRETS])
def test_the_mark_changes_with_every_file(directory: Path, name: str) -> None:
    file = ConfigFile(directory / "rproxy.yaml")
    config = file.load()
    before = file.mark(config)
    assert file.mark(config) == before
    (directory / name).write_text((directory / name).read_text() + "\n")
    os.utime(directory / name, (1, 1))
    assert file.mark(config) != before


def test_the_mark_changes_when_a_link_leads_elsewhere(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rproxy.yaml").write_text(TEXT)
        os.utime(tmp_path / name / "rproxy.yaml", (1, 1))
        for secret in SECRETS:
            (tmp_path / secret).write_text("secret")
    (tmp_path / "data").symlink_to("one")
    (tmp_path / "rproxy.yaml").symlink_to("data/rproxy.yaml")
    file = ConfigFile(tmp_path / "rproxy.yaml")
    config = file.load()
    before = file.mark(config)
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").rename(tmp_path / "data")
    assert file.mark(config) != before


def test_a_file_that_is_gone_has_a_mark_and_cannot_be_read(directory: Path) -> None:
    file = ConfigFile(directory / "rproxy.yaml")
    config = file.load()
    (directory / "rproxy.yaml").unlink()
    assert file.mark(config)[0] == ()
    with pytest.raises(ConfigError, match="No such file"):
        file.load()
