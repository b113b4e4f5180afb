"""How places are written."""

from rproxy.config.problems import InvalidConfigError, Problem, path_of, pattern_of


def test_a_path_has_positions_in_brackets() -> None:
    assert path_of(("clusters", 0, "endpoints", 12)) == "clusters[0].endpoints[12]"
    assert path_of(()) == ""


def test_a_pattern_has_no_positions() -> None:
    assert pattern_of(("clusters", 3, "endpoints", 1)) == "clusters[].endpoints[]"


def test_the_exception_tells_its_problems() -> None:
    assert str(InvalidConfigError([Problem(("workers",), "is wrong")])) == "workers: is wrong"
