"""The live view in a terminal: fit and loss in characters, redrawn in place."""

import atexit
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.segment import SegmentLines

from fitreel.data.dataset import Dataset
from fitreel.live.controls import Controls
from fitreel.live.fit_text import FitText
from fitreel.live.text_picture import Shown, picture
from fitreel.reel.curve import Curve
from fitreel.reel.listener import Frame
from fitreel.reel.probes import Probes
from fitreel.reel.reel import LOSS

PERIOD = 0.1  # seconds from one picture to the next
REST = 30  # times as long as it drew, the thread that draws leaves the processor to the training
BESIDE = 3  # lines of a terminal that other messages have, so that they stay in sight
PATIENCE = 2.0  # seconds for a terminal that takes no text


class TerminalView:
    """A picture on standard error; a thread draws it, so that the training never waits for it."""

    def __init__(self, pace: float = 0.0) -> None:
        """Take the terminal; OSError if it is missing or cannot show the picture."""
        self.note = self.resume = ""
        self._console = Console(stderr=True)
        # Not only what rich says: FORCE_COLOR makes a terminal of a pipe.
        if not sys.stderr.isatty() or not self._console.is_terminal:
            raise OSError("--live terminal needs a terminal, and standard error is not one")
        if self._console.is_dumb_terminal:
            raise OSError("--live terminal needs a terminal that can move its cursor; TERM is dumb")
        if not self._console.encoding.startswith("utf"):
            raise OSError(
                f"--live terminal needs UTF-8, and standard error has {self._console.encoding}; "
                "set LC_ALL=C.UTF-8"
            )
        self.controls = Controls(pace)
        self._losses, self._others = Curve(), dict[str, float]()
        self._frame: Frame | None = None
        self._over, self._is_new = threading.Event(), True
        self._live: Live | None = None

    @property
    def size(self) -> tuple[int, int]:
        """The characters across, and the lines of the terminal."""
        return self._console.size

    def start(self, dataset: Dataset, probes: Probes, steps: int | None, name: str) -> None:
        """Show the rows, before the first prediction."""
        is_coloured = self._console.color_system is not None and not self._console.no_color
        self._fit = FitText(dataset, probes, coloured=is_coloured)
        self._end, self._name = steps, name
        self._open()
        # If nobody closes the view, the cursor comes back at the end of the process.
        atexit.register(self.close)
        self._drawer = threading.Thread(target=self._work, name="live terminal", daemon=True)
        self._drawer.start()

    def on_point(self, step: int, values: Mapping[str, float]) -> None:
        """Take the values at a step."""
        self.controls.check()
        if LOSS in values:
            self._losses.append(step, values[LOSS])
        if len(values) > 1 or LOSS not in values:
            # A new one, not a changed one: the other thread may look at it.
            self._others = self._others | {name: values[name] for name in values if name != LOSS}
        self._is_new = True

    def on_frame(self, frame: Frame) -> None:
        """Take a frame, and wait as the pace says."""
        self._frame, self._is_new = frame, True
        self.controls.wait()

    def wait(self, seconds: float) -> bool:
        """Wait while nothing comes; KeyboardInterrupt if somebody pressed stop."""
        self.controls.rest(seconds)
        return True

    def finish(self, page: Path | None) -> None:  # noqa: ARG002
        """Leave the last picture where it is."""
        self.close()

    def close(self) -> None:
        """Draw the last picture and give the terminal back."""
        if self._live is None or self._over.is_set():
            return
        self._over.set()
        atexit.unregister(self.close)
        self._drawer.join(PATIENCE)
        if not self._drawer.is_alive():
            self._draw()
            self._live.stop()

    def _work(self) -> None:
        pause = 0.0
        while not self._over.wait(pause):
            started = time.monotonic()
            try:
                self._draw()
            except OSError:  # the terminal is gone
                return
            pause = max(PERIOD, REST * (time.monotonic() - started))

    def _open(self) -> None:
        self._size = self._console.size
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False)
        self._live.start()

    def _draw(self) -> None:
        if self._live is None:
            return
        if self._console.size != self._size:
            # The terminal has folded the lines of the last picture: nobody knows where they are.
            self._live.stop()
            self._console.clear()
            self._open()
        elif not self._is_new:
            return
        self._is_new = False  # before it looks: what comes meanwhile is drawn the next time
        width, height = self._size
        lines = picture(self._seen(), self._fit, width, _room(height))
        self._live.update(SegmentLines(lines, new_lines=True), refresh=True)

    def _seen(self) -> Shown:
        steps, losses = self._losses.since(0)
        predictions = None if self._frame is None else self._frame.predictions
        return Shown(self._name, self._end, steps, losses, predictions, self._others)


def _room(height: int) -> int:
    return height - BESIDE if height > 4 * BESIDE else max(1, height - 1)
