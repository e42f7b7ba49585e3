"""The loss of one network on all rows, and its gradient, by autograd."""

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import Parameter

from fitreel.data.dataset import Dataset
from fitreel.settings import TrainingSettings
from fitreel.training.batches import Batches
from fitreel.training.errors import error_function, loss_unit, prepared
from fitreel.training.memory import rows_at_once
from fitreel.training.network import forward

Gradient = Sequence[Tensor]  # a tensor a parameter


class Loss:
    """The loss of a network, computed in parts where the memory is too small."""

    def __init__(
        self, dataset: Dataset, settings: TrainingSettings, parameters: list[Parameter]
    ) -> None:
        self._predict = partial(forward, activation=settings.activation)
        self._parameters = parameters
        self._error = error_function(dataset, settings.loss)
        self._unit = loss_unit(dataset, settings.loss)
        self._inputs, self._targets = prepared(dataset, dataset)
        self._batches = Batches(dataset, settings)
        rows = rows_at_once(settings.hidden)
        self._parts = _parts(self._inputs, self._targets, rows)
        held_out = dataset.validation if settings.patience_epochs else None
        self._validation = _parts(*prepared(dataset, held_out), rows) if held_out else []

    def __call__(self) -> tuple[float, Gradient | None]:
        """Return the loss on all rows, in raw units, and its gradient if all rows are one batch."""
        if not self._batches.is_one:
            return self._value(self._parts), None
        return self._sum() if len(self._parts) > 1 else self._part(*self._parts[0])

    def validation(self) -> float:
        """Return the loss on the rows that are held out for early stopping, in raw units."""
        return self._value(self._validation)

    def batches(self, epoch: int) -> Iterator[Gradient]:
        """Yield the gradient of each batch of an epoch, with the parameters as they are then."""
        for rows in self._batches.order(epoch):
            yield self._part(self._inputs[rows], self._targets[rows])[1]

    def _value(self, parts: list[tuple[Tensor, Tensor]]) -> float:
        value, count = 0.0, sum(len(inputs) for inputs, _ in parts)
        with torch.no_grad():
            for inputs, targets in parts:
                share = len(inputs) / count
                value += share * self._error(self._outputs(inputs), targets).item()
        return _single(value * self._unit)

    def _outputs(self, inputs: Tensor) -> Tensor:
        # Not network(x): a module's look-ups and calls take 8 of an epoch's 70 microseconds.
        return self._predict(inputs, *self._parameters)

    def _part(self, inputs: Tensor, targets: Tensor) -> tuple[float, Gradient]:
        loss = self._error(self._outputs(inputs), targets)
        value = loss.item() if self._unit == 1 else _single(loss.item() * self._unit)
        return value, torch.autograd.grad(loss, self._parameters)

    def _sum(self) -> tuple[float, Gradient]:
        # In float64, so that the number of parts hardly changes the sums.
        value = 0.0
        gradient = [torch.zeros_like(each, dtype=torch.float64) for each in self._parameters]
        for inputs, targets in self._parts:
            share = len(inputs) / len(self._inputs)
            loss, slopes = self._part(inputs, targets)
            value += share * loss
            for total, slope in zip(gradient, slopes, strict=True):
                total.add_(slope, alpha=share)
        return _single(value), [each.float() for each in gradient]


def _parts(inputs: Tensor, targets: Tensor, rows: int) -> list[tuple[Tensor, Tensor]]:
    return list(zip(torch.split(inputs, rows), torch.split(targets, rows), strict=True))


def _single(value: float) -> float:
    """Round to float32: journals and files keep four bytes of a loss."""
    return torch.tensor(value).item()
