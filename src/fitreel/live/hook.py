"""The hook of our own training: what its network predicts goes to a live view."""

import time
from collections.abc import Iterable

import numpy as np

from fitreel.data.dataset import Dataset
from fitreel.live.view import LiveView
from fitreel.reel.listener import Frame
from fitreel.reel.of_history import record_network
from fitreel.reel.probes import probes_of
from fitreel.reel.reel import LOSS
from fitreel.settings import TrainingSettings
from fitreel.training.history import History
from fitreel.training.state import Training
from fitreel.training.weights import Weights

SHARE = 100  # what is shown may take this part of the time


class LiveHook:
    """A hook of ``fit`` that shows every loss and, every ``frame_every`` epochs, the prediction.

    Without a pace it lets most epochs pass, and shows their losses later, many at once; and it
    leaves out frames that would slow the training down.
    """

    def __init__(
        self, view: LiveView, dataset: Dataset, settings: TrainingSettings, name: str = ""
    ) -> None:
        """Start the view; nothing before ``evaluate`` looks at rows that are held out."""
        self.view = view
        self._controls = view.controls
        self._dataset = dataset.without_test()
        self._probes = probes_of(self._dataset)
        self._every = settings.frame_every
        self._due = 0.0  # when something is shown again
        self._next: int | None = None  # the epoch whose loss is shown next
        view.start(self._dataset, self._probes, settings.epochs, name)

    def __call__(self, epoch: int, loss: float, training: Training) -> None:
        """Show an epoch before its update."""
        now = time.perf_counter()
        if self._next is None:
            self._next = epoch
        if now < self._due and not self._controls.pace:
            return
        self._show_losses(training.losses[self._next : epoch])
        self._show_losses([loss])
        if epoch % self._every == 0:
            frame = self._frame(training.weights, epoch, loss)
            done = time.perf_counter()
            self._due = done + SHARE * (done - now)
            self.view.on_frame(frame)

    def show_end(self, history: History) -> None:
        """Show the trained network, which no epoch does."""
        self._show_losses(history.curve[self._next :])
        epoch, loss = int(history.frame_epochs[-1]), float(history.frame_losses[-1])
        self.view.on_frame(self._frame(history.frames[-1], epoch, loss))

    def _show_losses(self, losses: Iterable[float]) -> None:
        for loss in losses:
            epoch = self._next or 0
            self._next = epoch + 1
            self.view.on_point(epoch, {LOSS: float(loss)})

    def _frame(self, weights: Weights, epoch: int, loss: float) -> Frame:
        shown = record_network(self._dataset, self._probes, weights, epoch, loss)
        return Frame(epoch, loss, np.array(shown.predictions[0]))
