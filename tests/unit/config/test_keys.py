"""The list of keys that is read off the models."""

from rproxy.config.keys import keys


def test_every_key_has_a_description() -> None:
    assert [key.path for key in keys() if not key.description] == []


def test_paths_show_lists_and_sections() -> None:
    by_path = {key.path: key for key in keys()}
    assert len(by_path) == len(keys())
    timeout = by_path["clusters[].connect_timeout"]
    assert (timeout.name, timeout.parent, timeout.default, timeout.is_required) == (
        "connect_timeout",
        "clusters[]",
        "0.5s",
        False,
    )
    assert by_path["listeners[].redis_proxy.prefix_routes.catch_all_route.request_mirror_policy[]"].is_section
    assert by_path["clusters[].endpoints"].is_required
    assert by_path["clusters[].password"].default is None


def test_defaults_are_as_a_file_writes_them() -> None:
    by_path = {key.path: key.default for key in keys()}
    assert by_path["admin.address"] == "127.0.0.1:9900"
    assert by_path["listeners[].limits.max_argument_size"] == "512MiB"
    assert by_path["listeners[].redis_proxy.settings.read_policy"] == "primary"
