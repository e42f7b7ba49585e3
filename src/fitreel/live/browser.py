"""The live page: a training in the browser, while it runs, from this machine alone."""

import sys
import threading
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from fitreel.data.dataset import Dataset
from fitreel.live.controls import Controls
from fitreel.live.graphics import can_open_browser
from fitreel.live.requests import Requests
from fitreel.live.server import Server
from fitreel.live.watched import Shown, Watched
from fitreel.reel.listener import Frame
from fitreel.reel.probes import Probes

PATIENCE = 10.0  # seconds at the end for browsers to load the finished player


class BrowserView:
    """A page that grows with the training, and becomes its player at the end.

    The thread that trains only appends to lists; what is sent, the threads of the viewers prepare.
    """

    def __init__(self, pace: float = 0.0) -> None:
        """Serve the page, print its address, and open it in a browser if there is one."""
        self.note = self.resume = ""
        self.controls = Controls(pace)
        self._watched = Watched(self.controls)
        self._server = Server(self._watched, Requests)
        self._is_closed = False
        sys.stderr.write(f"watch the training: {self.address}\n")
        if can_open_browser():
            self._server.audience.invite()
            # A thread of its own: some browsers return only when they are closed.
            threading.Thread(target=self._open, name="open the live page", daemon=True).start()

    @property
    def address(self) -> str:
        """The address of the page, which nobody else should know."""
        return self._server.address

    @property
    def has_viewer(self) -> bool:
        """Whether a page is open."""
        return self._server.audience.is_watching

    def start(self, dataset: Dataset, probes: Probes, steps: int | None, name: str) -> None:
        """Show the rows."""
        self._watched.note = self.note
        self._watched.start(Shown(dataset, probes, steps, name))

    def on_point(self, step: int, values: Mapping[str, float]) -> None:
        """Take the values at a step; KeyboardInterrupt if somebody pressed stop."""
        self._watched.add_point(step, values)
        self.controls.check()

    def on_frame(self, frame: Frame) -> None:
        """Take a frame, and wait as the page says; KeyboardInterrupt if somebody pressed stop."""
        self._watched.add_frame(frame)
        self.controls.wait()

    def wait(self, seconds: float) -> bool:
        """Wait while nothing comes; KeyboardInterrupt if somebody pressed stop."""
        self.controls.rest(seconds)
        return True

    def finish(self, page: Path | None) -> None:
        """Replace the page by the finished player; without one it stays as it is."""
        if page is None:
            self._watched.phase = "ended"
            return
        self._watched.page = page.read_bytes()
        self._server.audience.expect_all()
        self._watched.phase = "finished"

    def close(self) -> None:
        """Wait until the open pages have the end, and stop serving."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._watched.phase in ("waiting", "training"):
            self._watched.resume, self._watched.phase = self.resume, "stopped"
        with suppress(KeyboardInterrupt):  # all is done
            self._server.audience.wait(PATIENCE)
        self._server.shutdown()
        self._server.server_close()

    def _open(self) -> None:
        if not webbrowser.open(self.address):
            self._server.audience.disinvite()
