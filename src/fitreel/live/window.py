"""The live window, as the tutorial's. The only module that uses pyplot."""

import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.registry import BackendFilter, backend_registry
from numpy.typing import NDArray

from fitreel.checks.text import shown
from fitreel.data.dataset import Dataset
from fitreel.live.controls import Controls
from fitreel.live.qt import trouble_of_qt
from fitreel.pictures.backdrop import DPI, Pixels, rgb, wait_for_ipython
from fitreel.pictures.camera import SIZE, Camera
from fitreel.pictures.gif import HOLD
from fitreel.reel.listener import Frame
from fitreel.reel.probes import Probes
from fitreel.reel.recording import Recording

LEAST_PAUSE = 0.001  # seconds, in which the toolkit draws
LOOK = 0.1  # seconds from one look to the next whether somebody closed the window
HINT = "leave --live off, or give it a display and pip install 'fitreel[live]'"


class LiveWindow:
    """A window of any GUI toolkit that matplotlib finds."""

    def __init__(self, pace: float = 0.0) -> None:
        """Open the window; OSError if there is no display or no toolkit."""
        self.note = self.resume = ""
        self.controls = Controls(pace)
        # First: matplotlib would call Qt, which aborts the process.
        if trouble := trouble_of_qt():
            raise OSError(f"no window can be opened: {trouble}")
        wait_for_ipython()
        try:
            self._figure = plt.figure("fitreel", figsize=(SIZE[0] / DPI, SIZE[1] / DPI))
        except ImportError as error:
            raise OSError(f"no window can be opened ({error}); {HINT}") from None
        # matplotlib takes one without windows if it finds no display, without an error.
        backend = plt.get_backend().lower()
        interactive = backend_registry.list_builtin(  # type: ignore[no-untyped-call]
            BackendFilter.INTERACTIVE
        )
        if backend not in interactive:
            raise OSError(f"no window can be opened (matplotlib chose {backend}); {HINT}")
        self._figure.show()
        self._is_finished = False

    @property
    def is_open(self) -> bool:
        """Whether nobody has closed the window."""
        return bool(plt.fignum_exists(self._figure.number))

    def start(self, dataset: Dataset, probes: Probes, steps: int | None, name: str) -> None:  # noqa: ARG002
        """Show the rows, before the first prediction."""
        self._dataset, self._probes, self._name = dataset, probes, name
        self._camera = Camera(self._film(np.zeros((0, len(probes.inputs)), np.float32)))
        axes = self._figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        self._image = axes.imshow(rgb(self._camera.background), interpolation="antialiased")
        self._title(name)
        self._show(self._camera.background)

    def on_point(self, step: int, values: Mapping[str, float]) -> None:  # noqa: ARG002
        """Take a loss: the window shows that of its frames."""
        self.controls.check()

    def on_frame(self, frame: Frame) -> None:
        """Show a frame, unless somebody closed the window: the training goes on without it."""
        film = self._film(frame.predictions[None], [frame.step], [frame.loss])
        self._show(self._camera.shoot_of(film, 0))

    def wait(self, seconds: float) -> bool:
        """Show the window while nothing comes; return whether nobody has closed it."""
        self.controls.check()
        if self.is_open:
            self._pause(seconds)
        return self.is_open

    def finish(self, page: Path | None) -> None:  # noqa: ARG002
        """Show in the title that the training is over; the last frame stays."""
        self._is_finished = True
        self._title(f"{self._name}, finished")

    def close(self) -> None:
        """Close the window; after a whole training only when somebody has closed it.

        If standard input is not a terminal, nobody may be there to do so: then it stays for a
        moment, as the last frame of a film does.
        """
        if self._is_finished and self.is_open:
            if sys.stdin and sys.stdin.isatty():
                self._wait()
            else:
                self._pause(HOLD)
        plt.close(self._figure)

    def _wait(self) -> None:
        """Wait until somebody closes the window, or presses Ctrl-C in the terminal."""
        with _closed_by_interrupt() as interrupted:
            while self.is_open and not interrupted.is_set():
                self._pause(LOOK)

    def _film(
        self,
        predictions: NDArray[np.float32],
        steps: Sequence[int] = (),
        losses: Sequence[float] = (),
    ) -> Recording:
        return Recording(
            self._dataset,
            self._probes,
            predictions,
            np.array(steps, np.int64),
            np.array(losses, np.float64),
        )

    def _title(self, text: str) -> None:
        if self._figure.canvas.manager:
            self._figure.canvas.manager.set_window_title(shown(f"fitreel {text}"))

    def _show(self, pixels: Pixels) -> None:
        if self.is_open:
            self._image.set_data(rgb(pixels))
            self._figure.canvas.draw_idle()
            self._pause(max(self.controls.pace, LEAST_PAUSE))

    def _pause(self, seconds: float) -> None:
        # Not plt.pause: it shows the window again each time, which may take the focus.
        self._figure.canvas.start_event_loop(seconds)


@contextmanager
def _closed_by_interrupt() -> Iterator[threading.Event]:
    """Take Ctrl-C in the block as a wish to close the window: the training is over."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
