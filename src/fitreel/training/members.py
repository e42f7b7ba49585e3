"""The members of a stack in training: their losses, and how each of them ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.settings import TrainingSettings
from fitreel.training.batches import Batches
from fitreel.training.gradients import Gradients
from fitreel.training.history import History, span
from fitreel.training.stack import Stack
from fitreel.training.stack_best import GOING, StackBest
from fitreel.training.stack_frames import StackFrames
from fitreel.training.weights import Weights

# More often costs time: the losses are copied from the device. What diverged trains on until then,
# which changes no other member.
STRETCH = 50  # epochs from one look for members that diverged to the next
End = Literal["finished", "diverged", "pruned"]


@dataclass(frozen=True, eq=False)
class Trained:
    """What is left of one member's training; one that diverged has no weights."""

    end: End
    losses: NDArray[np.float64]  # (epochs,), all of them finite
    weights: Weights | None
    history: History | None = None  # if its frames were kept, and an epoch was done

    def __repr__(self) -> str:
        losses = f", loss {span(self.losses)}" if len(self.losses) else ""
        return f"Trained({self.end}, {len(self.losses):,} epochs{losses})"

    def _repr_html_(self) -> str | None:
        return self.history._repr_html_() if self.history else None


class Members:
    """A stack in training: the place of every member, and the results of those that ended."""

    def __init__(
        self,
        dataset: Dataset,
        settings: Sequence[TrainingSettings],
        places: list[int],
        device: str,
        frame_every: int | None = None,
        kept: Sequence[torch.Tensor | None] = (),
    ) -> None:
        members = [settings[place] for place in places]
        # float32, as `fit`: losses agree within 1e-4 at every epoch and mostly within 1e-6, because
        # sums are taken in another order. A chaotic training, after large rates, does not agree.
        masks = [kept[place] for place in places] if kept else []
        self._gradients = Gradients(
            dataset, torch.float32, torch.device(device), members[0].loss, masks
        )
        self._batches = Batches(dataset, members[0])
        self._stack = Stack(members, torch.float32, torch.device(device), dataset)
        self._dataset = dataset
        self._settings = settings
        self._places = places
        self._ends = np.array([each.epochs for each in members])  # (members,)
        self._losses = np.empty((len(places), self._ends.max()), dtype=np.float32)
        self._frames = (
            StackFrames(frame_every, int(self._ends.max()), self._stack.numbers)
            if frame_every
            else None
        )
        self._best = self._best_of(members) if members[0].patience_epochs else None
        self._epoch = 0  # those before are done
        self.trained: dict[int, Trained] = {}

    def train(self, until: int) -> None:
        """Train the members that are left up to an epoch; some end before, or diverge."""
        while self._places and self._epoch < until:
            start = self._epoch
            self._epoch = min(until, start + STRETCH, self._ends.min())
            block = []
            for epoch in range(start, self._epoch):
                if self._frames:
                    self._frames.add(epoch, self._stack.numbers)
                if self._best:
                    self._best.look(epoch, self._stack)
                block.append(self._update(epoch))
            self._losses[:, start : self._epoch] = torch.stack(block, dim=1).cpu().numpy()
            self._end_stopped(start)
            self._end_diverged(start)
            self._end_finished()

    def _best_of(self, members: list[TrainingSettings]) -> StackBest:
        rows = self._dataset.validation
        if rows is None:
            raise ValueError("patience_epochs needs validation rows: validation_size=0.1")
        device, loss = self._stack.numbers.device, members[0].loss
        validation = Gradients(self._dataset, torch.float32, device, loss, rows=rows)
        return StackBest(validation, members, self._stack)

    def _update(self, epoch: int) -> torch.Tensor:
        """Do the updates of an epoch; return the losses before them, (members,)."""
        if self._batches.is_one:
            losses, gradient = self._gradients(self._stack)
            self._stack.update(gradient)
            return losses
        losses = self._gradients.losses(self._stack)
        for rows in self._batches.order(epoch):
            self._stack.update(self._gradients(self._stack, rows)[1])
        return losses

    def latest(self) -> list[tuple[int, float]]:
        """Return the place and the latest loss of all that are left."""
        losses = self._losses[:, self._epoch - 1].tolist() if self._places else []
        return list(zip(self._places, losses, strict=True))

    def drop(self, places: set[int]) -> None:
        """End members before their last epoch."""
        self._end(np.isin(self._places, list(places)), "pruned", self._epoch)

    def _end_stopped(self, start: int) -> None:
        """End members whose validation loss did not improve for too long, unless they diverged."""
        if self._best is None:
            return
        for epoch in np.unique(stops := self._best.stops())[1 if GOING in stops else 0 :]:
            finite = np.isfinite(self._losses[:, start : epoch + 1]).all(axis=1)
            stopped = (self._best.stops() == epoch) & finite
            self._finish(stopped, int(epoch))

    def _end_diverged(self, start: int) -> None:
        bad = ~np.isfinite(self._losses[:, start : self._epoch])
        # The first bad epoch of each member, in rising order: the losses after it are mostly bad as
        # well, and must not decide where it diverged.
        for column in np.unique(bad.argmax(axis=1)[bad.any(axis=1)]):
            epoch = start + int(column)
            self._end(~np.isfinite(self._losses[:, epoch]), "diverged", epoch)

    def _end_finished(self) -> None:
        ended = self._ends == self._epoch
        if self._best and ended.any():
            self._best.look(self._epoch, self._stack)
        self._finish(ended, self._epoch)

    def _finish(self, ended: NDArray[np.bool_], epoch: int) -> None:
        if not ended.any():
            return
        if self._best:
            self._best.restore(self._stack, ended)
        # As in fit: the weights are those after the last update, whose loss must be finite, too.
        after = self._gradients.losses(self._stack).cpu().numpy()
        lost = ended & ~np.isfinite(after)
        self._end(lost, "diverged", epoch)
        self._end(ended[~lost], "finished", epoch, after[~lost])

    def _end(
        self,
        rows: NDArray[np.bool_],
        end: End,
        epoch: int,
        trained_losses: NDArray[np.float32] | None = None,
    ) -> None:
        if not rows.any():
            return
        for row in np.flatnonzero(rows).tolist():
            weights = None if end == "diverged" else self._stack.weights(row)
            # A copy: a view would keep the losses of the whole stack in memory.
            losses = self._losses[row, :epoch].astype(np.float64)
            after = None if trained_losses is None else float(trained_losses[row])
            history = self._history(row, losses, after)
            self.trained[self._places[row]] = Trained(end, losses, weights, history)
        kept = np.flatnonzero(~rows)
        self._places = [self._places[row] for row in kept.tolist()]
        self._ends, self._losses = self._ends[kept], self._losses[kept]
        if len(kept):
            self._stack.keep(torch.from_numpy(kept))
            self._gradients.keep(torch.from_numpy(kept))
            if self._best:
                self._best.keep(torch.from_numpy(kept))
            if self._frames:
                self._frames.keep(torch.from_numpy(kept))

    def _history(
        self, row: int, losses: NDArray[np.float64], trained_loss: float | None
    ) -> History | None:
        if self._frames is None or not len(losses):
            return None
        epochs, numbers = self._frames.member(row, len(losses))
        if trained_loss is not None:
            epochs = torch.cat([epochs, torch.tensor([len(losses)])])
            numbers = torch.cat([numbers, self._stack.numbers[row : row + 1].float().cpu()])
        weights = self._stack.unpadded(row, numbers)
        settings = self._settings[self._places[row]]
        dataset = self._dataset
        return History(
            losses, epochs.numpy(), weights, trained_loss, dataset=dataset, settings=settings
        )
