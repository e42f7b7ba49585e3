"""The live window: watch the fit while it is trained. The only module that uses pyplot."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.registry import BackendFilter, backend_registry
from matplotlib.image import AxesImage

from fitreel.data.dataset import Dataset
from fitreel.pictures.backdrop import DPI, rgb
from fitreel.pictures.camera import SIZE, Camera
from fitreel.pictures.gif import HOLD
from fitreel.reel.of_history import record_network
from fitreel.reel.probes import probes_of
from fitreel.training.history import History
from fitreel.training.state import Hook, Training
from fitreel.training.weights import Weights

PAUSE = 0.1  # seconds from one redraw to the next, as in the original


class LiveWindow:
    """A window of any GUI toolkit that matplotlib finds."""

    def __init__(self) -> None:
        """Open the window; OSError if there is no display or no toolkit."""
        hint = "leave --live off, or give it a display and pip install 'fitreel[live]'"
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

    def watch(self, dataset: Dataset, frame_every: int) -> Hook:
        """Return the hook that redraws the fit every ``frame_every`` epochs.

        Training goes on without it when somebody closes the window.
        """
        # Nothing before `evaluate` looks at the test rows: the window does not show them.
        self._dataset = without_test(dataset)
        self._probes = probes_of(self._dataset)
        self._camera: Camera | None = None
        axes = self._figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        blank = np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)
        self._image: AxesImage = axes.imshow(blank, interpolation="antialiased")

        def redraw(epoch: int, loss: float, training: Training) -> None:
            if epoch % frame_every == 0:
                self._show(epoch, loss, training.network.weights(), PAUSE)

        return redraw

    def close(self, history: History) -> None:
        """Show the trained network for as long as the film does, then close the window."""
        epoch, loss = history.frame_epochs[-1], history.frame_losses[-1]
        self._show(int(epoch), float(loss), history.frames[-1], HOLD)
        plt.close(self._figure)

    def _show(self, epoch: int, loss: float, weights: Weights, seconds: float) -> None:
        if not plt.fignum_exists(self._figure.number):
            return
        frame = record_network(self._dataset, self._probes, weights, epoch, loss)
        if self._camera is None:
            self._camera = Camera(frame)
        self._image.set_data(rgb(self._camera.shoot_of(frame, 0)))
        self._pause(seconds)

    def _pause(self, seconds: float) -> None:
        # Not plt.pause: it shows the window again each time, which may take the focus.
        self._figure.canvas.draw_idle()
        self._figure.canvas.start_event_loop(seconds)


def without_test(dataset: Dataset) -> Dataset:
    """Return the training rows of a dataset alone."""
    return Dataset(
        dataset.x,
        dataset.y,
        features=dataset.features,
        target=dataset.target,
        classes=dataset.classes,
        scaling=dataset.scaling,
    )
