"""The live window: watch the fit while it is trained. The only module that uses pyplot."""

import matplotlib.pyplot as plt
from matplotlib.backends.registry import BackendFilter, backend_registry

from fitreel.data.dataset import Dataset
from fitreel.pictures.camera import DPI, SIZE, Scenery, loss_text
from fitreel.pictures.figures import INK, LINE_COLOUR
from fitreel.pictures.gif import HOLD
from fitreel.reel.probes import line_x
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
        self._scenery = Scenery(self._figure, dataset)
        # The window is drawn as a whole, and would leave an animated line out.
        self._scenery.line.set_animated(False)
        axes, corner = self._scenery.axes, self._scenery.axes.transAxes
        self._loss = axes.text(
            0.5, 0.04, "", color=LINE_COLOUR, size=20, ha="center", transform=corner
        )
        self._epoch = axes.text(0, 1.02, "", color=INK, size=12, transform=corner)
        self._x = line_x(dataset)

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
        self._scenery.line.set_data(self._x.numpy(), weights.predict(self._x).numpy())
        self._loss.set_text(f"Loss={loss_text(loss)}")
        self._epoch.set_text(f"epoch {epoch}")
        self._pause(seconds)

    def _pause(self, seconds: float) -> None:
        # Not plt.pause: it shows the window again each time, which may take the focus.
        self._figure.canvas.draw_idle()
        self._figure.canvas.start_event_loop(seconds)
