"""A file becomes a configuration, or a list of all that is wrong; and back."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rproxy.config.loader import effective, load, parse
from rproxy.config.passwords import masked
from rproxy.errors import ConfigError

GOOD = """\
admin: {address: 127.0.0.1:9900}
workers: 1
listeners:
- name: redis
  address: 127.0.0.1:6380
  redis_proxy:
    stat_prefix: redis_stats
    settings: {op_timeout: 5s, enable_redirection: true, enable_command_stats: true, read_policy: replica}
    prefix_routes:
      catch_all_route:
        cluster: main
        request_mirror_policy:
        - {cluster: mirror, exclude_read_commands: true, runtime_fraction: 100%}
clusters:
- name: main
  type: redis_cluster
  connect_timeout: 0.5s
  endpoints: [redis-0.redis:6379, redis-1.redis:6379]
- name: mirror
  type: standalone
  endpoints: [127.0.0.1:6390]
"""


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse(text, "f.yaml")
    return str(error.value).splitlines()


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    config = load(path)
    assert config == parse(GOOD, "g.yaml")
    mirror = config.listeners[0].redis_proxy.prefix_routes.catch_all_route
    assert mirror is not None
    assert mirror.request_mirror_policy[0].cluster == "mirror"


def test_every_error_has_file_line_and_path_in_the_order_of_lines() -> None:
    text = (
        GOOD.replace("0.5s", "soon")
        .replace("workers: 1", "workers: one")
        .replace("op_timeout", "op_timout")
        .replace("{cluster: mirror,", "{cluster: miror,")
        .replace("name: mirror", "name: main")
    )
    proxy = "listeners[0].redis_proxy"
    assert errors(text) == [
        "f.yaml:2: workers: must be a whole number",
        f"f.yaml:8: {proxy}.settings.op_timout: unknown key; did you mean op_timeout?",
        f"f.yaml:13: {proxy}.prefix_routes.catch_all_route.request_mirror_policy[0].cluster: "
        "'miror' is no cluster; there are main",
        "f.yaml:17: clusters[0].connect_timeout: 'soon' is no duration; write it as 5s, 250ms or 1m",
        "f.yaml:19: clusters[1].name: 'main' is already clusters[0].name",
    ]


def test_repeated_keys_stand_beside_other_errors() -> None:
    text = GOOD.replace("  type: standalone\n", "  type: standalone\n  type: standalone\n  colour: red\n")
    assert errors(text) == [
        "f.yaml:21: clusters[1].type: is there twice, first on line 20",
        "f.yaml:22: clusters[1].colour: unknown key; there are name, type, endpoints, tls, connect_timeout, "
        "connections_per_endpoint, connection_rate_limit_per_sec, max_in_flight, max_parked, max_pinned_connections, "
        "mirror_queue_limit, "
        "cluster_refresh_rate, cluster_refresh_timeout, redirect_refresh_interval, redirect_refresh_threshold, "
        "failure_refresh_threshold, host_degraded_refresh_threshold, outlier_detection, health_checks, username, "
        "password, password_file, endpoint_auth",
    ]


def test_a_repeated_key_alone_is_an_error() -> None:
    assert errors(GOOD + "workers: 1\n") == ["f.yaml:22: workers: is there twice, first on line 2"]


def test_what_is_missing_has_the_line_of_its_section() -> None:
    assert errors(GOOD.replace("  endpoints: [127.0.0.1:6390]\n", "")) == [
        "f.yaml:19: clusters[1].endpoints: is required"
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "f.yaml: is empty"),
        ("# nothing\n", "f.yaml: is empty"),
        ("- a\n", "f.yaml:1: must be a map of keys to values"),
        ("a:\n\tb: 1\n", "f.yaml:2: a tab; YAML is indented with spaces"),
    ],
)
def test_a_text_that_is_no_configuration_is_one_error(text: str, line: str) -> None:
    assert errors(text) == [line]


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"a: \xe9")
    for name, reason in (
        ("none", "No such file or directory"),
        (".", "Is a directory"),
        ("latin", "is not UTF-8 text"),
    ):
        with pytest.raises(ConfigError) as error:
            load(tmp_path / name)
        assert str(error.value) == f"{tmp_path / name}: {reason}"


def test_a_password_file_is_found_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    path = tmp_path / "f.yaml"
    path.write_text(GOOD.replace("type: standalone", "password_file: secret"))
    config = load(path)
    assert config.clusters[1].password is not None
    assert config.clusters[1].password.get_secret_value() == "hunter2"
    assert "hunter2" not in effective(config)
    assert load_text(effective(config), tmp_path) == config


def load_text(text: str, directory: Path) -> object:
    return parse(text, str(directory / "again.yaml"))


def test_a_password_file_that_is_missing_is_an_error_with_its_line() -> None:
    text = GOOD.replace("type: standalone", "password_file: no/such/file")
    assert errors(text) == ["f.yaml:20: clusters[1].password_file: no/such/file: No such file or directory"]


def test_the_effective_configuration_has_the_defaults_and_reads_back_alike() -> None:
    config = parse(GOOD, "f.yaml")
    shown = yaml.safe_load(effective(config))
    assert shown == masked(config)
    assert shown["clusters"][1]["cluster_refresh_rate"] == "5s"
    assert shown["listeners"][0]["limits"]["output_buffer_limit"] == "64MiB"
    assert shown["listeners"][0]["redis_proxy"]["settings"]["read_policy"] == "replica"
    assert parse(effective(config), "again.yaml") == config


def test_secrets_are_masked() -> None:
    config = parse(GOOD.replace("type: standalone", "username: app\n  password: hunter2"), "f.yaml")
    assert "hunter2" not in effective(config)
    assert yaml.safe_load(effective(config))["clusters"][1]["password"] == "********"


def test_names_that_do_not_resolve_are_no_errors() -> None:
    assert parse(GOOD.replace("redis-0.redis", "no-such-host.invalid"), "f.yaml")


@given(st.integers(0, len(GOOD)), st.integers(0, 12), st.text(alphabet="a0:-[]{}'\"&*!|>%\n\t ", max_size=3))
def test_a_damaged_file_is_read_or_refused_with_its_name_on_every_line(at: int, cut: int, put: str) -> None:
    try:
        parse(GOOD[:at] + put + GOOD[at + cut :], "f.yaml")
    except ConfigError as error:
        lines = str(error).splitlines()
    else:
        lines = ["f.yaml: is good"]
    assert lines
    assert all(line.startswith("f.yaml:") for line in lines)
