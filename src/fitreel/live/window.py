"""The live window, as the tutorial's. The only module that uses pyplot."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.registry import BackendFilter, backend_registry
from matplotlib.image import AxesImage

from fitreel.data.dataset import Dataset
from fitreel.live.controls import Controls
from fitreel.pictures.backdrop import DPI, rgb
from fitreel.pictures.camera import SIZE, Camera
from fitreel.pictures.gif import HOLD
from fitreel.reel.listener import Frame
from fitreel.reel.probes import Probes
from fitreel.reel.recording import Recording

LEAST_PAUSE = 0.001  # seconds, in which the toolkit draws


class LiveWindow:
    """A window of any GUI toolkit that matplotlib finds."""

    def __init__(self, pace: float = 0.0) -> None:
        """Open the window; OSError if there is no display or no toolkit."""
        self.resume = ""
        hint = "leave --live off, or give it a display and pip install 'fitreel[live]'"
        self.controls = Controls(pace)
        try:
            self._figure = plt.figure("fitreel", figsize=(SIZE[0] / DPI, SIZE[1] / DPI))
        except ImportError as error:
            raise OSError(f"no window can be opened ({error}); {hint}") from None
        # matplotlib takes one without windows if it finds no display, without an error.
        backend = plt.get_backend().lower()
        interactive = backend_registry.list_builtin(  # type: ignore[no-untyped-call]
            BackendFilter.INTERACTIVE
        )
        if backend not in interactive:
            raise OSError(f"no window can be opened (matplotlib chose {backend}); {hint}")
        self._figure.show()

    def start(self, dataset: Dataset, probes: Probes, steps: int | None, name: str) -> None:  # noqa: ARG002
        """Show the rows, before the first prediction."""
        self._dataset, self._probes = dataset, probes
        self._camera: Camera | None = None
        axes = self._figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        blank = np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)
        self._image: AxesImage = axes.imshow(blank, interpolation="antialiased")

    def on_point(self, step: int, values: Mapping[str, float]) -> None:  # noqa: ARG002
        """Take a loss: the window shows that of its frames."""
        self.controls.check()

    def on_frame(self, frame: Frame) -> None:
        """Show a frame, unless somebody closed the window: the training goes on without it."""
        if not plt.fignum_exists(self._figure.number):
            return
        film = Recording(
            self._dataset,
            self._probes,
            frame.predictions[None],
            np.array([frame.step]),
            np.array([frame.loss]),
        )
        if self._camera is None:
            self._camera = Camera(film)
        self._image.set_data(rgb(self._camera.shoot_of(film, 0)))
        self._pause(max(self.controls.pace, LEAST_PAUSE))

    def finish(self, page: Path | None) -> None:  # noqa: ARG002
        """Keep the last frame for as long as the film does, then close the window."""
        if plt.fignum_exists(self._figure.number):
            self._pause(HOLD)
        self.close()

    def close(self) -> None:
        """Close the window."""
        plt.close(self._figure)

    def _pause(self, seconds: float) -> None:
        # Not plt.pause: it shows the window again each time, which may take the focus.
        self._figure.canvas.draw_idle()
        self._figure.canvas.start_event_loop(seconds)
