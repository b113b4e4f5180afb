"""The Dockerfile and what it copies, checked by reading: no engine is needed."""

import fnmatch
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text()


def instructions(text: str) -> list[tuple[str, str]]:
    """``(instruction, arguments)`` in order, continued lines joined and comments left out."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", lines)
    return [
        (word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines()) if word
    ]


def stages(text: str) -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions(text):
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, rest))
    return found


BUILD, FINAL = stages(DOCKERFILE)


def arguments(stage: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for word, rest in stage if word == name]


def test_both_stages_start_from_the_same_slim_image() -> None:
    build, final = (arguments(stage, "FROM")[0].split()[0] for stage in (BUILD, FINAL))
    assert build == final
    assert "slim" in final


def test_compiler_is_only_in_the_build_stage() -> None:
    assert "gcc" in " ".join(arguments(BUILD, "RUN"))
    assert not re.search(r"gcc|apt-get|pip", " ".join(arguments(FINAL, "RUN")))


def test_build_fails_without_the_compiled_form() -> None:
    (check,) = [run for run in arguments(BUILD, "RUN") if "running_form" in run]
    assert "== 'compiled'" in check
    before = BUILD[: BUILD.index(("RUN", check))]
    assert arguments(before, "WORKDIR")[-1] == "/", "the sources would shadow the installed package"


def test_runs_as_a_numeric_user_that_is_not_root() -> None:
    user, group = arguments(FINAL, "USER")[-1].split(":")
    assert int(user) > 0
    assert int(group) > 0


def test_starts_the_server_and_is_stopped_by_sigterm() -> None:
    assert arguments(FINAL, "ENTRYPOINT") == ['["rproxy"]']
    assert arguments(FINAL, "CMD") == ['["serve", "-c", "/etc/rproxy/rproxy.yaml"]']
    assert arguments(FINAL, "STOPSIGNAL") == ["SIGTERM"]


def test_health_check_runs_the_copied_script() -> None:
    (check,) = arguments(FINAL, "HEALTHCHECK")
    script = re.search(r'CMD \["python", "([^"]+)"\]', check)
    assert script is not None
    assert f"docker/healthcheck.py {script[1]}" in arguments(FINAL, "COPY")
    assert "RPROXY_HEALTH_URL=http://127.0.0.1:9900/healthz" in arguments(FINAL, "ENV")[0]


def test_everything_copied_exists_and_is_not_ignored() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    sources = [source for rest in arguments(BUILD, "COPY") for source in rest.split()[:-1]]
    sources += [rest.split()[0] for rest in arguments(FINAL, "COPY") if not rest.startswith("--from")]
    for source in (source.removeprefix("./") for source in sources):
        assert (ROOT / source).exists(), source
        assert any(fnmatch.fnmatch(source, pattern) for pattern in allowed), f".dockerignore hides {source}"


class TestHealthCheck:
    """``docker/healthcheck.py`` against addresses where nobody, or nothing sensible, answers."""

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1/healthz", "no url"])
    def test_failure_is_one_line_and_status_1(
        self, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("RPROXY_HEALTH_URL", url)
        main = runpy.run_path(str(ROOT / "docker/healthcheck.py"))["main"]
        assert main() == 1
        assert capsys.readouterr().err.count("\n") == 1

    def test_answer_200_is_status_0(self, monkeypatch: pytest.MonkeyPatch, admin_url: str) -> None:
        monkeypatch.setenv("RPROXY_HEALTH_URL", f"{admin_url}/healthz")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        assert runpy.run_path(str(ROOT / "docker/healthcheck.py"))["main"]() == 0

    def test_answer_503_is_status_1(self, monkeypatch: pytest.MonkeyPatch, admin_url: str) -> None:
        monkeypatch.setenv("RPROXY_HEALTH_URL", f"{admin_url}/readyz")
        assert runpy.run_path(str(ROOT / "docker/healthcheck.py"))["main"]() == 1
