"""The live window: watch the fit while it is trained. The only module that uses pyplot."""

import matplotlib.pyplot as plt
from matplotlib.backends.registry import BackendFilter, backend_registry

from fitreel.data.dataset import Dataset
from fitreel.pictures.camera import DPI, SIZE, Scenery, loss_text
from fitreel.pictures.figures import INK, LINE_COLOUR
from fitreel.pictures.gif import HOLD
from fitreel.pictures.scenes import line_x
from fitreel.training.state import Hook, Training

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
        scenery = Scenery(self._figure, dataset)
        scenery.line.set_animated(False)  # the window is drawn as a whole, and would leave it out
        axes, corner = scenery.axes, scenery.axes.transAxes
        loss_label = axes.text(
            0.5, 0.04, "", color=LINE_COLOUR, size=20, ha="center", transform=corner
        )
        epoch_label = axes.text(0, 1.02, "", color=INK, size=12, transform=corner)
        x = line_x(dataset)

        def redraw(epoch: int, loss: float, training: Training) -> None:
            if epoch % frame_every or not plt.fignum_exists(self._figure.number):
                return
            scenery.line.set_data(x.numpy(), training.network.weights().predict(x).numpy())
            loss_label.set_text(f"Loss={loss_text(loss)}")
            epoch_label.set_text(f"epoch {epoch}")
            self._pause(PAUSE)

        return redraw

    def close(self) -> None:
        """Show the last picture for as long as the film does, then close the window."""
        if plt.fignum_exists(self._figure.number):
            self._pause(HOLD)
        plt.close(self._figure)

    def _pause(self, seconds: float) -> None:
        # Not plt.pause: it shows the window again each time, which may take the focus.
        self._figure.canvas.draw_idle()
        self._figure.canvas.start_event_loop(seconds)
