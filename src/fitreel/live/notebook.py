"""The live view in a notebook: a widget in the output of the cell, Jupyter's or another's."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fitreel.data.dataset import Dataset
from fitreel.live.controls import Controls
from fitreel.live.feed import Feed
from fitreel.live.watched import ENDS, Shown, Watched
from fitreel.pages.live import notebook_page
from fitreel.pages.page import Page, static
from fitreel.reel.listener import Frame
from fitreel.reel.probes import Probes

try:
    import anywidget
    import traitlets
    from IPython.display import display
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"to watch a training in a notebook, {error.name} is missing: "
        "pip install 'fitreel[notebook]'"
    ) from None

GAP = 0.1  # seconds from message to message
SHARE = 100  # … or so many times what the last one took from the training
LONGEST = 2.0  # seconds between two messages, however long the last one took
FIRST_WHOLE = 0.25  # seconds until all is sent again, for a browser that was not ready; then twice


class _Widget(anywidget.AnyWidget):
    _esm = static("notebook.mjs")
    page = traitlets.Unicode().tag(sync=True)  # what its frame shows


class NotebookView:
    """A page in the cell's output that grows with the training, and becomes its player at the end.

    A kernel that trains hears no button before its cell ends, so the page has no buttons: the
    training is stopped by the interruption of the kernel, which is Ctrl-C.
    """

    def __init__(self, pace: float = 0.0) -> None:
        """Show the page in the output."""
        self.controls = Controls(pace)
        self.note = self.resume = ""
        self._watched = Watched(self.controls)
        self._feed = Feed(self._watched)
        self._widget = _Widget(page=notebook_page())
        self._number = 0
        self._due = 0.0
        self._whole_due, self._whole_gap = time.monotonic() + FIRST_WHOLE, FIRST_WHOLE
        self._handle = display(self._widget, display_id=True)  # type: ignore[no-untyped-call]

    def start(self, dataset: Dataset, probes: Probes, steps: int | None, name: str) -> None:
        """Show the rows."""
        self._watched.start(Shown(dataset, probes, steps, name))
        self._send()
        self._due = time.monotonic() + GAP  # it took longest, and the training has not started

    def on_point(self, step: int, values: Mapping[str, float]) -> None:
        """Take the values at a step."""
        self._watched.add_point(step, values)
        self._send_if_due()
        self.controls.check()

    def on_frame(self, frame: Frame) -> None:
        """Take a frame, and wait for the pace."""
        self._watched.add_frame(frame)
        self._send_if_due()
        self.controls.wait()

    def wait(self, seconds: float) -> bool:
        """Wait while nothing comes; KeyboardInterrupt if somebody pressed stop."""
        self.controls.rest(seconds)
        return True

    def finish(self, page: Path | None) -> None:
        """Replace the page by the finished player; without one it stays as it is."""
        self._watched.phase = "ended" if page is None else "finished"
        self._send()
        if page is None:
            return
        if self._handle:  # kept in the notebook's file, where a widget is not
            self._handle.update(Page(page))
        else:  # no Jupyter
            self._widget.page = page.read_text("utf-8")

    def close(self) -> None:
        """Show that the training was stopped, unless it came to its end."""
        if self._watched.phase not in ENDS:
            self._watched.resume, self._watched.phase = self.resume, "stopped"
            self._send()

    def _send_if_due(self) -> None:
        if time.monotonic() >= self._due:
            self._send()

    def _send(self) -> None:
        """Send what is new, and now and then all again, for who did not listen from the start."""
        started, before = time.monotonic(), time.thread_time()
        self._post(self._feed.news(), is_whole=False)
        if started >= self._whole_due:
            self._post(Feed(self._watched).news(), is_whole=True)
            self._whole_gap *= 2
            self._whole_due = started + self._whole_gap
        rest = min(LONGEST, SHARE * (time.thread_time() - before))
        self._due = time.monotonic() + max(GAP, rest)

    def _post(self, news: dict[str, Any], *, is_whole: bool) -> None:
        if news:
            self._number += not is_whole
            message = {"number": self._number, "is_whole": is_whole, "news": news}
            self._widget.send(message)
