"""The batch: many trainings as one, each as if it were alone."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.settings import TrainingSettings
from fitreel.training.gradients import HingeGradients, SmoothGradients
from fitreel.training.memory import rows_at_once
from fitreel.training.stack import Stack
from fitreel.training.weights import Weights

MOST_MEMBERS = 512  # of a stack: the arrays of more leave the processor's cache
STRETCH = 50  # epochs from one look at what diverged to the next
# Gets the epoch and the latest loss of every member that is left; gives those to drop.
Prune = Callable[[int, Mapping[int, float]], Iterable[int]]


@dataclass(frozen=True, eq=False)
class Trained:
    """Hold what is left of one member's training; one that diverged has no weights."""

    end: Literal["finished", "diverged", "pruned"]
    losses: NDArray[np.float64]  # (epochs,), all of them finite
    weights: Weights | None


def fit_many(
    dataset: Dataset,
    settings: Sequence[TrainingSettings],
    *,
    rungs: Sequence[int] = (),
    prune: Prune | None = None,
    device: str = "cpu",
) -> list[Trained]:
    """Train a network for each of ``settings``, on all points, as ``fit`` would each alone.

    At the epochs ``rungs``, when their losses are known, ``prune`` says which places of
    ``settings`` to drop. ``frame_every`` has no meaning here.
    """
    batches = [
        _Batch(dataset, settings, places, device) for places in _alike(settings, len(dataset))
    ]
    ends = max((each.epochs for each in settings), default=0)
    for stop in sorted({rung for rung in rungs if 0 < rung < ends} | {ends}):
        for batch in batches:
            batch.train(stop)
        if prune and stop < ends:
            latest = {place: loss for batch in batches for place, loss in batch.latest()}
            dropped = set(prune(stop, latest))
            for batch in batches:
                batch.drop(dropped)
    trained = {place: each for batch in batches for place, each in batch.trained.items()}
    return [trained[place] for place in range(len(settings))]


def _alike(settings: Sequence[TrainingSettings], points: int) -> Iterator[list[int]]:
    """Group the places of members that one stack can hold, without much padding."""
    groups = defaultdict(list)
    for place, each in enumerate(settings):
        width = max(4, (each.hidden - 1).bit_length())
        groups[each.activation, each.optimizer == "adam", width].append(place)
    for (activation, _, _), places in groups.items():
        hidden = max(settings[place].hidden for place in places)
        numbers = max(points, hidden) if activation == "relu" else points * hidden  # of a member
        most = min(MOST_MEMBERS, rows_at_once(numbers))
        for start in range(0, len(places), most):
            yield places[start : start + most]


class _Batch:
    """A stack in training: the place of every row, and what became of those that left."""

    def __init__(
        self,
        dataset: Dataset,
        settings: Sequence[TrainingSettings],
        places: list[int],
        device: str,
    ) -> None:
        members = [settings[place] for place in places]
        kind = HingeGradients if members[0].activation == "relu" else SmoothGradients
        self._gradients = kind(dataset, torch.device(device))
        self._stack = Stack(members, kind.dtype, torch.device(device))
        self._places = places
        self._ends = np.array([each.epochs for each in members])
        self._losses = np.empty((len(places), self._ends.max()), dtype=np.float32)
        self._epoch = 0  # those before are done
        self.trained: dict[int, Trained] = {}

    def train(self, until: int) -> None:
        """Train up to an epoch those that are left; some end before, or diverge."""
        while self._places and self._epoch < until:
            stop = min(until, self._epoch + STRETCH, self._ends.min())
            block = []
            for _ in range(self._epoch, stop):
                block.append(self._gradients(self._stack))
                self._stack.update()
            self._losses[:, self._epoch : stop] = torch.stack(block, dim=1).float().cpu().numpy()
            self._epoch = stop
            self._part_with_diverged(self._losses[:, stop - len(block) : stop])
            self._part_with_finished()

    def latest(self) -> list[tuple[int, float]]:
        """Give the place and the latest loss of all that are left."""
        losses = self._losses[:, self._epoch - 1].tolist() if self._places else []
        return list(zip(self._places, losses, strict=True))

    def drop(self, places: set[int]) -> None:
        """Part with members before their end."""
        rows = np.isin(self._places, list(places))
        self._part(rows, "pruned", self._epoch)

    def _part_with_diverged(self, block: NDArray[np.float32]) -> None:
        bad = ~np.isfinite(block)
        for column in np.unique(bad.argmax(axis=1)[bad.any(axis=1)]):
            now = ~np.isfinite(self._losses[:, self._epoch - block.shape[1] + column])
            self._part(now, "diverged", self._epoch - block.shape[1] + int(column))

    def _part_with_finished(self) -> None:
        if not (self._ends == self._epoch).any():
            return
        # As in fit: the weights are those after the last update, whose loss must be finite, too.
        lost = ~np.isfinite(self._gradients(self._stack).float().cpu().numpy())
        ending = self._ends == self._epoch
        self._part(ending & lost, "diverged", self._epoch)
        self._part(self._ends == self._epoch, "finished", self._epoch)

    def _part(
        self, rows: NDArray[np.bool_], end: Literal["finished", "diverged", "pruned"], epoch: int
    ) -> None:
        if not rows.any():
            return
        for row in np.flatnonzero(rows).tolist():
            weights = None if end == "diverged" else self._stack.weights(row)
            losses = self._losses[row, :epoch].astype(np.float64)
            self.trained[self._places[row]] = Trained(end, losses, weights)
        kept = np.flatnonzero(~rows)
        self._places = [self._places[row] for row in kept.tolist()]
        self._ends, self._losses = self._ends[kept], self._losses[kept]
        if len(kept):
            self._stack.keep(torch.from_numpy(kept))
