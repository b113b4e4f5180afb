import os
import socket
from pathlib import Path
from typing import Any

import pytest

from rproxy.config.converters import Address
from rproxy.errors import StartError
from rproxy.server.sockets import ListeningSockets, address_of, listen, listen_together

ANY = Address("127.0.0.1", 0)


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def test_a_tcp_socket_listens_without_blocking_and_without_delay() -> None:
    with listen(ANY) as sock, socket.create_connection(sock.getsockname()):
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        with pytest.raises(BlockingIOError):
            sock.accept()


def test_a_taken_port_is_one_line() -> None:
    with listen(ANY) as sock:
        address = Address("127.0.0.1", port_of(sock))
        with pytest.raises(StartError) as caught:
            listen(address)
    assert str(caught.value) == f"cannot listen on {address}: address already in use"


def test_an_unknown_host_is_one_line() -> None:
    with pytest.raises(StartError, match=r"^cannot listen on no\.such\.host\.invalid:6380: \w[^\n]*$"):
        listen(Address("no.such.host.invalid", 6380))


def test_ipv6() -> None:
    try:
        sock = listen(Address("::1", 0))
    except StartError:
        pytest.skip("no IPv6 here")
    with sock:
        assert address_of(sock) == f"[::1]:{port_of(sock)}"
        with socket.create_connection(("::1", port_of(sock))):
            pass


def test_every_ipv6_address_is_every_ipv4_address_too() -> None:
    try:
        sock = listen(Address("::", 0))
    except StartError:
        pytest.skip("no IPv6 here")
    with sock, socket.create_connection(("127.0.0.1", port_of(sock))):
        pass


def test_sockets_together_share_one_port() -> None:
    opened = listen_together(ANY, 3)
    try:
        assert len({port_of(sock) for sock in opened}) == 1
        assert len({sock.fileno() for sock in opened}) == 3
    finally:
        for sock in opened:
            sock.close()


def test_a_port_of_another_group_of_sockets_is_taken() -> None:
    opened = listen_together(ANY, 2)
    try:
        with pytest.raises(StartError, match="address already in use"):
            listen_together(Address("127.0.0.1", port_of(opened[0])), 2)
    finally:
        for sock in opened:
            sock.close()


def test_a_stale_unix_socket_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "redis.sock")
    listen(Address(path=path)).close()
    assert os.path.exists(path)
    with listen(Address(path=path)), socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def test_a_unix_socket_in_use_is_taken(tmp_path: Path) -> None:
    address = Address(path=str(tmp_path / "redis.sock"))
    with listen(address), pytest.raises(StartError) as caught:
        listen(address)
    assert str(caught.value) == f"cannot listen on {address}: address already in use"


def test_a_file_in_the_way_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("data")
    with pytest.raises(StartError, match="there is a file that is no socket"):
        listen(Address(path=str(file)))
    assert file.read_text() == "data"


def test_every_worker_has_its_sockets(make_config) -> None:
    with ListeningSockets(make_config(workers=2)) as sockets:
        first, second = (of_worker["redis"] for of_worker in sockets.of_worker)
        assert first is not second
        assert sockets.addresses == [f"127.0.0.1:{port_of(first)}"] == [f"127.0.0.1:{port_of(second)}"]
    assert first.fileno() == second.fileno() == -1


def test_workers_share_a_unix_socket_that_is_removed_at_the_end(make_config, tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with ListeningSockets(make_config(address=f"unix:{path}", workers=2)) as sockets:
        assert sockets.of_worker[0]["redis"] is sockets.of_worker[1]["redis"]
        assert sockets.addresses == [f"unix:{path}"]
    assert not path.exists()


def test_the_unix_socket_of_a_successor_stays(make_config, tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with ListeningSockets(make_config(address=f"unix:{path}")):
        path.rename(tmp_path / "old.sock")
        successor = listen(Address(path=str(path)))
    with successor:
        assert path.exists()


def test_a_failure_leaves_no_socket_open(make_config) -> None:
    with listen(ANY) as taken:
        good, bad = make_config().listeners[0], make_config(address=address_of(taken)).listeners[0]
        config = make_config().model_copy(update={"listeners": (good, bad.model_copy(update={"name": "other"}))})
        before = len(os.listdir("/dev/fd"))
        with pytest.raises(StartError):
            ListeningSockets(config)
        assert len(os.listdir("/dev/fd")) == before


# -- another configuration


def test_what_another_configuration_needs_is_opened_and_the_rest_closed(make_config: Any, tmp_path: Path) -> None:
    paths = [tmp_path / "first.sock", tmp_path / "second.sock"]
    with ListeningSockets(make_config(address=f"unix:{paths[0]}", workers=2)) as sockets:
        (before,) = {sockets_of_one["redis"] for sockets_of_one in sockets.of_worker}
        config = make_config(address=f"unix:{paths[1]}", workers=2)
        new = sockets.open_new(config)
        assert [list(names) for names in new] == [["redis"], ["redis"]]
        sockets.adopt(config, new)
        assert sockets.addresses == [f"unix:{paths[1]}"]
        assert before.fileno() >= 0
        sockets.close_unused()
        assert before.fileno() < 0
        assert [path.exists() for path in paths] == [False, True]
    assert not paths[1].exists()


def test_one_address_that_cannot_be_had_leaves_nothing_open(make_config: Any, tmp_path: Path) -> None:
    config = make_config()
    path = tmp_path / "new.sock"
    listeners = [
        config.listeners[0].model_copy(update={"name": name, "address": address})
        for name, address in (("new", Address(path=str(path))), ("taken", ANY))
    ]
    with listen(ANY) as taken, ListeningSockets(config) as sockets:
        listeners[1] = listeners[1].model_copy(update={"address": Address("127.0.0.1", port_of(taken))})
        with pytest.raises(StartError, match="address already in use"):
            sockets.open_new(config.model_copy(update={"listeners": (*config.listeners, *listeners)}))
        assert not path.exists()
        assert list(sockets.of_worker[0]) == ["redis"]


# -- those of another rproxy


def test_the_sockets_of_another_are_taken_over(make_config: Any, tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    for config in (make_config(address=f"unix:{path}", workers=2), make_config(workers=2)):
        before = ListeningSockets(config)
        given = before.to_hand_over()
        with ListeningSockets(config, lambda purpose: [sock.dup() for sock in _taken(given, purpose)]) as after:  # noqa: B023
            before.give_away()
            before.close()
            assert after.addresses == [address_of(sock) for sock in after.of_worker[0].values()]
            assert len(set(after.of_worker[0].values()) | set(after.of_worker[1].values())) == len(given)
            if path.exists():
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(str(path))
    assert not path.exists()


def _taken(given: dict[str, socket.socket], purpose: str) -> list[socket.socket]:
    return [sock for name, sock in given.items() if name.rpartition("#")[0] == purpose]


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 2)])
def test_another_number_of_workers_shares_what_there_is(make_config: Any, before: int, after: int) -> None:
    given = ListeningSockets(make_config(workers=before)).to_hand_over()
    with ListeningSockets(make_config(workers=after), lambda purpose: _taken(given, purpose)) as sockets:
        assert len(sockets.of_worker) == after
        assert len({of_one["redis"].getsockname() for of_one in sockets.of_worker}) == 1
        assert len({of_one["redis"].fileno() for of_one in sockets.of_worker}) == after
    assert all(sock.fileno() < 0 for sock in given.values())
