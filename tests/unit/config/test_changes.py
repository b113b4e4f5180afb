from typing import Any

from rproxy.config.changes import changes, kept_listeners, kept_sockets
from rproxy.config.models import Config


def config(listeners: dict[str, str], clusters: dict[str, dict[str, Any]] | None = None, **keys: Any) -> Config:
    """A configuration with ``listeners`` (address by name) and ``clusters`` (further keys by name)."""
    proxy = {"prefix_routes": {"catch_all_route": {"cluster": "main"}}}
    return Config.model_validate(
        {
            "listeners": [
                {"name": name, "address": address, "redis_proxy": proxy} for name, address in listeners.items()
            ],
            "clusters": [
                {"name": name, "endpoints": ["a:1"], **more} for name, more in (clusters or {"main": {}}).items()
            ],
            **keys,
        }
    )


def test_a_listener_keeps_socket_and_clients() -> None:
    old = config({"a": "h:1", "b": "unix:/b"})
    assert kept_sockets(old, old) == {"a": "a", "b": "b"}
    assert kept_listeners(old, old) == {"a": "a", "b": "b"}


def test_a_listener_that_moves_keeps_its_clients_alone() -> None:
    old, new = config({"a": "h:1"}), config({"a": "h:2"})
    assert kept_sockets(old, new) == {}
    assert kept_listeners(old, new) == {"a": "a"}


def test_a_listener_with_another_name_keeps_both() -> None:
    old, new = config({"a": "h:1"}), config({"b": "h:1"})
    assert kept_sockets(old, new) == {"b": "a"}
    assert kept_listeners(old, new) == {"b": "a"}


def test_listeners_that_exchange_their_addresses_exchange_their_sockets() -> None:
    old, new = config({"a": "h:1", "b": "h:2"}), config({"a": "h:2", "b": "h:1"})
    assert kept_sockets(old, new) == {"a": "b", "b": "a"}
    assert kept_listeners(old, new) == {"a": "a", "b": "b"}


def test_any_port_is_that_of_the_same_listener_alone() -> None:
    old, new = config({"a": "h:0", "b": "h:0"}), config({"a": "h:0", "c": "h:0"})
    assert kept_sockets(old, new) == {"a": "a"}
    assert kept_listeners(old, new) == {"a": "a"}


def test_the_changes_in_words_show_no_value() -> None:
    old = config({"a": "h:1", "b": "h:2", "c": "h:3"}, {"main": {"password": "old"}, "gone": {}})
    new = config(
        {"a": "h:4", "d": "h:2", "e": "h:5"},
        {"main": {"password": "new", "max_parked": 3}, "come": {}},
        log_level="error",
    )
    assert changes(old, new) == [
        "log_level changed",
        "listener e added",
        "listener c removed",
        "listener a: address changed",
        "listener b is called d now",
        "cluster come added",
        "cluster gone removed",
        "cluster main: max_parked, password changed",
    ]
    assert changes(old, old) == []
