"""The hook of our own training: what its network predicts goes to a live view."""

import time

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

SHARE = 100  # the predictions may take this part of the time


class LiveHook:
    """A hook of ``fit`` that shows every loss and, every ``frame_every`` epochs, the prediction.

    Without a pace frames are left out that would slow the training down.
    """

    def __init__(
        self, view: LiveView, dataset: Dataset, settings: TrainingSettings, name: str = ""
    ) -> None:
        """Start the view; nothing before ``evaluate`` looks at rows that are held out."""
        self.view = view
        self._dataset = dataset.without_test()
        self._probes = probes_of(self._dataset)
        self._every = settings.frame_every
        self._due = 0.0  # the time of the next frame
        view.start(self._dataset, self._probes, settings.epochs, name)

    def __call__(self, epoch: int, loss: float, training: Training) -> None:
        """Show an epoch before its update."""
        self.view.on_point(epoch, {LOSS: loss})
        if epoch % self._every:
            return
        now = time.perf_counter()
        if now >= self._due or self.view.controls.pace:
            frame = self._frame(training.weights, epoch, loss)
            done = time.perf_counter()
            self._due = done + SHARE * (done - now)
            self.view.on_frame(frame)

    def show_end(self, history: History) -> None:
        """Show the trained network, which no epoch does."""
        epoch, loss = int(history.frame_epochs[-1]), float(history.frame_losses[-1])
        if epoch == len(history.losses):  # after its last update
            self.view.on_point(epoch, {LOSS: loss})
        self.view.on_frame(self._frame(history.frames[-1], epoch, loss))

    def _frame(self, weights: Weights, epoch: int, loss: float) -> Frame:
        shown = record_network(self._dataset, self._probes, weights, epoch, loss)
        return Frame(epoch, loss, np.array(shown.predictions[0]))
