"""What can be wrong with a configuration, and where: the words that the checks, the validation and the loader share."""

from __future__ import annotations

from dataclasses import dataclass

Loc = tuple[str | int, ...]
"""A place in the configuration, as pydantic gives it: keys, and positions in lists."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where. ``message`` is one line that follows the place."""

    loc: Loc
    message: str


class InvalidConfigError(Exception):
    """The data are no configuration. ``problems`` has at least one."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{path_of(problem.loc)}: {problem.message}" for problem in problems))
        self.problems = problems


def path_of(loc: Loc) -> str:
    """``clusters[0].connect_timeout`` of a place."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")


def pattern_of(loc: Loc) -> str:
    """``clusters[].connect_timeout`` of a place: the path of its key."""
    return "".join("[]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")
