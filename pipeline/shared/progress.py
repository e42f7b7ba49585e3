"""The progress bars: shown on a terminal, nothing in a pipe. All on standard error."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.file_proxy import FileProxy
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from fitreel.settings import SweepSettings
    from fitreel.sweep.results import Results

LOOK = 0.2  # seconds from one look at the tracked trials to the next


def _bar(*more: TextColumn) -> Progress:
    columns = (TextColumn("{task.description:>8}"), BarColumn(), MofNCompleteColumn(), *more)
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[..., None]]:
    """Show a progress bar; yield a function that takes how much is done."""
    # rich stands between if it draws already, as the live view in the terminal.
    if not sys.stderr.isatty() or isinstance(sys.stderr, FileProxy):
        yield lambda *_: None
        return
    with _bar() as bar:
        task = bar.add_task(label, total=total)
        step = max(1, total // 100)

        def show(done: int, *_: object) -> None:
            if done % step == 0 or done == total:
                bar.update(task, completed=done)

        yield show


@contextmanager
def sweeping(
    settings: "SweepSettings", tracked: Callable[[], int]
) -> "Iterator[Callable[[Results], None]]":
    """Show how many trials are tracked, and the best one; yield a function that takes results."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with _bar(TextColumn("{task.fields[best]}"), TextColumn("{task.fields[rate]}")) as bar:
        task = bar.add_task("sweep", total=settings.count, best="", rate="", completed=tracked())

        def show(results: "Results") -> None:
            if best := results.best(1):
                bar.update(task, best=f"best {settings.metric} {results.score(best[0]):.4g}")

        with _following(bar, task, tracked):
            yield show
        bar.update(task, completed=tracked())


@contextmanager
def _following(bar: Progress, task: TaskID, tracked: Callable[[], int]) -> Iterator[None]:
    """Keep a bar up to date: trials are tracked by another thread, while one round trains."""
    over = threading.Event()
    # Trials that a resumed sweep had before do not count for the rate.
    started, before = time.monotonic(), tracked()

    def follow() -> None:
        while not over.wait(LOOK):
            done = tracked()
            speed = (done - before) / (time.monotonic() - started)
            bar.update(task, completed=done, rate=f"{speed:.1f} trials/s")

    follower = threading.Thread(target=follow, name="progress", daemon=True)
    follower.start()
    try:
        yield
    finally:
        over.set()
        follower.join()  # so that it draws nothing below the bar's last line
