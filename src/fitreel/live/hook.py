"""The hook of our own training: what its network predicts goes to a live view."""

import numpy as np

from fitreel.data.dataset import Dataset
from fitreel.live.view import LiveView
from fitreel.reel.listener import Frame
from fitreel.reel.of_history import record_network
from fitreel.reel.probes import probes_of
from fitreel.reel.reel import LOSS
from fitreel.settings import TrainingSettings
from fitreel.training.state import Training


class LiveHook:
    """A hook of ``fit`` that shows every loss and, every ``frame_every`` epochs, the prediction."""

    def __init__(
        self, view: LiveView, dataset: Dataset, settings: TrainingSettings, name: str = ""
    ) -> None:
        """Start the view; nothing before ``evaluate`` looks at rows that are held out."""
        self._view = view
        self._dataset = dataset.without_test()
        self._probes = probes_of(self._dataset)
        self._every = settings.frame_every
        view.start(self._dataset, self._probes, settings.epochs, name)

    def __call__(self, epoch: int, loss: float, training: Training) -> None:
        """Show an epoch before its update."""
        self._view.on_point(epoch, {LOSS: loss})
        if epoch % self._every == 0:
            shown = record_network(self._dataset, self._probes, training.weights, epoch, loss)
            self._view.on_frame(Frame(epoch, loss, np.array(shown.predictions[0])))
