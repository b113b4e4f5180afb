"""What the tour shows: colours and a clock while it waits in a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table


class Screen:
    """Standard output, as a terminal or as a stream of lines."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, markup=False)

    @property
    def is_terminal(self) -> bool:
        """Whether a person can be watching (and can press Ctrl-C)."""
        return sys.stdout.isatty()

    def heading(self, text: str) -> None:
        """The beginning of a step."""
        self._console.print(f"\n{text}", style="bold", soft_wrap=True)

    def say(self, text: str) -> None:
        """A line of explanation or result."""
        self._console.print(f"  {text}", soft_wrap=True)

    def good(self, text: str) -> None:
        """What a step has shown."""
        self._console.print(f"  ok: {text}", style="green", soft_wrap=True)

    def bad(self, text: str) -> None:
        """Why a step failed."""
        self._console.print(f"  FAILED: {text}", style="bold red", soft_wrap=True)

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        """Rows of text under headings."""
        table = Table(*columns, box=SIMPLE)
        for row in rows:
            table.add_row(*row)
        self._console.print(table)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show that something takes time: a running clock in a terminal, else one line."""
        if not self.is_terminal:
            self.say(f"{text} ...")
            yield
            return
        columns = (SpinnerColumn("line"), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            progress.add_task(text, total=None)
            yield
