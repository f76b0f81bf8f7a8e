"""One bar for a whole run: work is counted in estimated seconds, so that the time left means something."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

Step = Callable[[int, int], None]
"""Called with (done, in all) of the stage at hand."""


_ENOUGH = 0.05
"""Share of the work after which the pace so far is believed more than the estimate."""


class _Left(ProgressColumn):
    """The time left: as estimated at first, at the pace so far once there is one."""

    def render(self, task: Task) -> Text:
        """``12:34 left``."""
        total = task.total or 0.0
        pace = (task.elapsed or 0.0) / task.completed if task.completed > _ENOUGH * total else 1.0
        minutes, seconds = divmod(round(max(total - task.completed, 0.0) * pace), 60)
        return Text(f"{minutes}:{seconds:02d} left")


class Bar:
    """The bar of a run; on a terminal it moves, elsewhere each stage prints a line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:3.0f}%"),
            TimeElapsedColumn(),
            _Left(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    @contextmanager
    def running(self, work: float) -> Generator[None]:
        """Show the bar for ``work`` estimated seconds."""
        with self._progress:
            self._task = self._progress.add_task("starting", total=max(work, 1.0))
            yield

    @contextmanager
    def stage(self, name: str, work: float) -> Generator[Step]:
        """A stage of ``work`` estimated seconds; the yielded callable moves the bar within it."""
        told = 0.0

        def move(done: int, of: int) -> None:
            nonlocal told
            reached = work * done / max(of, 1)
            self._advance(reached - told)
            told = reached

        if self._task is not None:
            self._progress.update(self._task, description=name)
        if not self._console.is_terminal:
            self._console.print(name)
        yield move
        self._advance(work - told)

    def _advance(self, amount: float) -> None:
        if self._task is not None:
            self._progress.advance(self._task, amount)
