"""The command line: what it prints, where, and the status it ends with."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import click
import pytest
import yaml
from click.testing import CliRunner, Result

import rproxy
from rproxy.cli.main import main
from rproxy.config.models import Config
from rproxy.config.source import ConfigFile
from rproxy.errors import ConfigError, StartError
from rproxy.form import running_form

MINIMAL = Path(__file__).parents[3] / "config" / "minimal.yaml"
Run = Callable[..., int]


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def recorder(seen: list[Config], status: int, expected_file: Path | None = None) -> Run:
    """A server that notes its configuration in ``seen`` and ends with ``status``; it watches ``expected_file``."""

    def run(config: Config, file: ConfigFile | None) -> int:
        seen.append(config)
        assert (file.path if file is not None else None) == expected_file
        return status

    return run


@pytest.fixture
def serve_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], None]:
    """Puts a function in the place of the server's ``run``."""

    def put(run: Run) -> None:
        module = ModuleType("rproxy.server.run")
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "rproxy.server.run", module)

    return put


def test_the_version_tells_the_form() -> None:
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"rproxy {rproxy.__version__} ({running_form()})\n")


def test_help_tells_every_command() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    assert isinstance(main, click.Group)
    assert set(main.commands) == {"check", "demo", "keyslot", "serve"}
    assert all(name in result.stdout for name in main.commands)


def test_keyslot_prints_a_line_per_key() -> None:
    result = invoke("keyslot", "foo", "{user1000}.following", "{user1000}.followers", "")
    assert result.exit_code == 0
    assert result.stdout == "12182 foo\n3443 {user1000}.following\n3443 {user1000}.followers\n0 \n"


def test_keyslot_takes_keys_of_any_bytes() -> None:
    command = [sys.executable, "-m", "rproxy", "keyslot", os.fsdecode(b"\xff\xfe")]
    result = subprocess.run(command, capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")
    slot, _, key = result.stdout.rstrip(b"\n").partition(b" ")
    assert key == b"\xff\xfe"
    assert 0 <= int(slot) < 16384


def test_keyslot_needs_a_key() -> None:
    result = invoke("keyslot")
    assert result.exit_code == 2
    assert "Missing argument 'KEY...'" in result.stderr


def test_small_commands_import_no_large_library() -> None:
    code = (
        "import sys; from rproxy.cli.main import main; main(['keyslot', 'a'], standalone_mode=False);"
        "print(sorted({'pydantic', 'yaml', 'h11', 'uvloop', 'asyncio', 'prometheus_client'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == ["15495 a", "[]"]


def test_check_prints_the_effective_configuration() -> None:
    result = invoke("check", "-c", str(MINIMAL))
    assert (result.exit_code, result.stderr) == (0, "")
    assert yaml.safe_load(result.stdout)["clusters"][0]["cluster_refresh_rate"] == "5s"


def test_check_prints_every_error_as_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(MINIMAL.read_text().replace("127.0.0.1:6380", "6380") + "workers: none\n")
    result = invoke("check", "-c", str(path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        f"{path}:5: listeners[0].address: 6380 is no address; write it as host:port, [::1]:port or unix:/path",
        f"{path}:12: workers: must be a whole number",
    ]


def test_check_of_a_missing_file_is_one_line() -> None:
    result = invoke("check", "-c", "no/such/file")
    assert (result.exit_code, result.stderr) == (2, "no/such/file: No such file or directory\n")


def test_serve_runs_the_configuration_of_a_file(serve_with: Callable[[Run], None]) -> None:
    seen: list[Config] = []
    serve_with(recorder(seen, 0, MINIMAL.absolute()))
    result = invoke("serve", "-c", str(MINIMAL))
    assert (result.exit_code, result.output) == (0, "")
    assert seen[0].clusters[0].endpoints == ("127.0.0.1:7000",)


def test_serve_runs_the_configuration_of_flags(serve_with: Callable[[Run], None]) -> None:
    seen: list[Config] = []
    serve_with(recorder(seen, 3))
    flags = (
        "--listen unix:/tmp/r.sock --seed a:1,b:2 --seed c:3 --read-policy ANY --mirror m:1 --admin [::1]:9 --workers 2"
    )
    assert invoke("serve", *flags.split()).exit_code == 3
    (config,) = seen
    assert str(config.listeners[0].address) == "unix:/tmp/r.sock"
    assert config.clusters[0].endpoints == ("a:1", "b:2", "c:3")
    assert config.clusters[1].endpoints == ("m:1",)
    assert str(config.admin and config.admin.address) == "[::1]:9"
    assert config.workers == 2
    assert config.listeners[0].redis_proxy.settings.read_policy.value == "any"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give -c FILE, or at least one --seed HOST:PORT"),
        (["--listen", "127.0.0.1:1"], "give -c FILE, or at least one --seed HOST:PORT"),
        (["-c", "f.yaml", "--workers", "2"], "give either -c FILE or the other options, not both"),
        (["--seed", "a:1", "--workers", "two"], "'two' is not a valid integer"),
        (["--sed", "a:1"], "No such option"),
    ],
)
def test_serve_refuses_wrong_usage(words: list[str], message: str) -> None:
    result = invoke("serve", *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_serve_tells_wrong_flags_one_per_line() -> None:
    result = invoke("serve", "--seed", "a", "--workers", "0")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "rproxy: --workers: must be at least 1",
        "rproxy: --seed: 'a' is no address; write it as host:port or [::1]:port",
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StartError("cannot listen on 127.0.0.1:6380: address already in use"), 1),
        (ConfigError("f.yaml: is empty"), 2),
    ],
)
def test_serve_tells_an_error_in_one_line(serve_with: Callable[[Run], None], error: Exception, status: int) -> None:
    def fail(*_: object) -> int:
        raise error

    serve_with(fail)
    result = invoke("serve", "--seed", "a:1")
    assert (result.exit_code, result.stdout, result.stderr) == (status, "", f"rproxy: {error}\n")


def test_ctrl_c_shows_nothing(serve_with: Callable[[Run], None]) -> None:
    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    serve_with(interrupt)
    result = invoke("serve", "--seed", "a:1")
    assert (result.exit_code, result.output) == (130, "")


def test_demo_ends_with_the_status_of_the_tour(monkeypatch: pytest.MonkeyPatch) -> None:
    import rproxy.demo

    tour = ModuleType("rproxy.demo.tour")
    tour.main = lambda: 1  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rproxy.demo.tour", tour)
    monkeypatch.setattr(rproxy.demo, "tour", tour, raising=False)
    assert invoke("demo").exit_code == 1


def test_demo_without_its_packages_tells_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import rproxy.demo

    monkeypatch.delattr(rproxy.demo, "tour", raising=False)
    monkeypatch.delitem(sys.modules, "rproxy.demo.tour", raising=False)
    monkeypatch.setattr(sys, "meta_path", [_Missing(), *sys.meta_path])
    result = invoke("demo")
    assert (result.exit_code, result.stderr) == (1, "rproxy: the demo needs rich: pip install 'rproxy[demo]'\n")


class _Missing:
    """An installation in which the tour cannot find ``rich``."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "rproxy.demo.tour":
            raise ModuleNotFoundError("No module named 'rich'", name="rich")
