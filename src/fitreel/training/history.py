"""The history: what a training leaves behind."""

import math
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import ArrayLike, NDArray

import fitreel
from fitreel.data.dataset import Dataset
from fitreel.settings import TrainingSettings
from fitreel.training.shape import NetworkShape
from fitreel.training.weights import Weights

MOST_FRAME_NUMBERS = 150_000_000  # of all frames: 0.6 GB, of which saving them makes copies


@dataclass(frozen=True, eq=False)
class History:
    """The loss of every epoch and the weights of every frame, each before its update.

    After the last update comes the trained network: its loss is ``trained_loss``, its weights are
    the last frame, whose epoch is the number of epochs. A training that diverged has neither, nor
    has a run of fitreel 0.3.
    """

    losses: NDArray[np.float64]  # (epochs,)
    frame_epochs: NDArray[np.int64]  # (frames,)
    frames: Weights  # with a leading dimension (frames,)
    trained_loss: float | None = None
    best_epoch: int | None = None  # whose weights early stopping kept; its files do not say
    # Where it comes from, if known: a notebook shows the player with it.
    dataset: Dataset | None = None
    settings: TrainingSettings | None = None

    def __post_init__(self) -> None:
        count = len(self.frame_epochs)
        if not 0 < count == len(self.frames.output_bias):
            raise ValueError(
                f"{count} frame epochs do not fit {len(self.frames.output_bias)} frames"
            )
        if self.frame_epochs[0] < 0 or (np.diff(self.frame_epochs) <= 0).any():
            raise ValueError("the epochs of the frames must rise from 0 or later")
        last, end = self.frame_epochs[-1], len(self.losses)
        if last >= len(self.curve):
            raise ValueError(
                f"the last frame shows epoch {last}, but the losses end before epoch {end}"
            )

    def __repr__(self) -> str:
        epochs, frames = len(self.losses), len(self.frame_epochs)
        return f"History({epochs:,} epochs, {frames:,} frames, loss {span(self.curve)})"

    def _repr_html_(self) -> str | None:
        """Return the player for a notebook; None if the points are unknown."""
        if self.dataset is None:
            return None
        with TemporaryDirectory() as folder:
            # By its public name: pages are made from histories, so no module here imports them.
            file, name = Path(folder) / "player.html", self.settings.label if self.settings else ""
            return fitreel.write_player(self.dataset, self, file, name)._repr_html_()

    @property
    def curve(self) -> NDArray[np.float64]:
        """The loss after 0, 1, 2, … updates: ``losses``, then ``trained_loss`` if it is known."""
        if self.trained_loss is None:
            return self.losses
        return np.append(self.losses, self.trained_loss)

    @property
    def frame_losses(self) -> NDArray[np.float64]:
        """The loss of each frame's network: (frames,)."""
        return self.curve[self.frame_epochs]


def frames_before(epoch: int, frame_every: int) -> int:
    """Return how many frames a training has before the update of an epoch."""
    return math.ceil(epoch / frame_every)


def shape_of(settings: TrainingSettings, dataset: Dataset | None) -> NetworkShape:
    """Return the shape of the network that a training has; without a dataset one x and one y."""
    return NetworkShape(
        settings.hidden, *((len(dataset.features), dataset.outputs) if dataset else ())
    )


def frame_count(settings: TrainingSettings) -> int:
    """Return how many frames a training has: one every ``frame_every`` epochs, and the last."""
    return frames_before(settings.epochs, settings.frame_every) + 1


def span(losses: NDArray[np.float64]) -> str:
    """Return the first and the last loss, with four digits or fewer."""
    return f"{losses[0]:.4g} → {losses[-1]:.4g}"


def check_frames(settings: TrainingSettings, dataset: Dataset | None = None) -> None:
    """Raise ValueError if the weights of all frames are more than the memory should hold."""
    frames = frame_count(settings)
    numbers = shape_of(settings, dataset).size
    if frames * numbers > MOST_FRAME_NUMBERS:
        raise ValueError(
            f"{frames:,} frames of {numbers:,} weights are {frames * numbers:,} numbers, more than "
            f"{MOST_FRAME_NUMBERS:,}; raise frame_every (it is {settings.frame_every:,})"
        )


def first_difference(ours: ArrayLike, theirs: ArrayLike) -> int | None:
    """Return the first epoch at which two rows of losses differ in any bit, or None.

    If one row ends before the other, that is the epoch after its last.
    """
    # By their bits: NaN is equal to NaN, and -0.0 differs from 0.0.
    one, other = (np.asarray(row, dtype=np.float64).view(np.int64) for row in (ours, theirs))
    common = min(len(one), len(other))
    (different,) = np.nonzero(one[:common] != other[:common])
    if len(different):
        return int(different[0])
    return common if len(one) != len(other) else None
