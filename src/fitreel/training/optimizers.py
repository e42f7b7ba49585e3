"""The optimizers: how a gradient moves the numbers of a network, or of a stack of networks."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from fitreel.settings import TrainingSettings

MOMENTUM = 0.9
BETAS, EPSILON = (0.9, 0.999), 1e-8  # of adam, the defaults of torch


class Optimizer:
    """The optimizer of one network, which computes what torch.optim computes, to the last bit."""

    # torch's objects spend more on bookkeeping than on 61 numbers: an update takes 23 microseconds
    # by SGD and 125 by Adam, 6 and 70 by this one.

    def __init__(self, settings: TrainingSettings, parameters: Sequence[Tensor]) -> None:
        """Move these parameters, which are detached, in their own memory."""
        count = {"sgd": 0, "momentum": 1, "adam": 2}[settings.optimizer]
        self._parameters, self._rate = parameters, settings.lr
        self._decay = settings.weight_decay
        self._moments = [[torch.zeros_like(each) for each in parameters] for _ in range(count)]
        # A count for each parameter, as torch has it: checkpoints of earlier versions hold these.
        self._updates = torch.zeros(len(parameters) if settings.optimizer == "adam" else 0)
        self._move: Callable[[Sequence[Tensor]], None] = {
            "sgd": self._sgd,
            "momentum": self._momentum,
            "adam": self._adam,
        }[settings.optimizer]

    def update(self, gradients: Sequence[Tensor]) -> None:
        """Move the parameters along their gradients."""
        if self._decay:
            pairs = zip(gradients, self._parameters, strict=True)
            gradients = [each.add(mine, alpha=self._decay) for each, mine in pairs]
        self._move(gradients)

    @property
    def memory(self) -> list[Tensor]:
        """The numbers that it keeps from one update to the next, as it changes them."""
        return [*(each for moment in self._moments for each in moment), self._updates]

    def _sgd(self, gradients: Sequence[Tensor]) -> None:
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.add_(gradient, alpha=-self._rate)

    def _momentum(self, gradients: Sequence[Tensor]) -> None:
        each = zip(self._parameters, gradients, *self._moments, strict=True)
        for parameter, gradient, velocity in each:
            velocity.mul_(MOMENTUM).add_(gradient)
            parameter.add_(velocity, alpha=-self._rate)

    def _adam(self, gradients: Sequence[Tensor]) -> None:
        self._updates += 1
        updates = self._updates[0].item()
        rate = self._rate / (1 - BETAS[0] ** updates)
        scale = (1 - BETAS[1] ** updates) ** 0.5
        each = zip(self._parameters, gradients, *self._moments, strict=True)
        for parameter, gradient, first, second in each:
            first.lerp_(gradient, 1 - BETAS[0])
            second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
            # In torch's order of operations; any other changes the last bit.
            parameter.addcdiv_(first, (second.sqrt() / scale).add_(EPSILON), value=-rate)


class StackOptimizer:
    """The optimizers of a stack: a rate and a momentum for each member, or adam for all."""

    def __init__(self, members: Sequence[TrainingSettings], numbers: Tensor) -> None:
        """Move flat networks, (members, numbers), in their own memory."""
        self._is_adam = members[0].optimizer == "adam"
        self._updates = 0  # one count for all: members of a stack start together
        inertia = [MOMENTUM if each.optimizer == "momentum" else 0.0 for each in members]
        self._rates = numbers.new_tensor([each.lr for each in members]).unsqueeze(1)
        self._inertia = numbers.new_tensor(inertia).unsqueeze(1)  # (members, 1)
        self._decays = numbers.new_tensor([each.weight_decay for each in members]).unsqueeze(1)
        self._has_decay = any(each.weight_decay for each in members)
        self._first, self._second = torch.zeros_like(numbers), torch.zeros_like(numbers)

    def update(self, numbers: Tensor, gradient: Tensor) -> None:
        """Move all members along their gradients, each at its own rate."""
        if self._has_decay:
            gradient = gradient.addcmul(numbers, self._decays)
        if not self._is_adam:  # sgd is momentum without inertia
            self._first.mul_(self._inertia).add_(gradient)
            numbers.sub_(self._rates * self._first)
            return
        self._updates += 1
        self._first.lerp_(gradient, 1 - BETAS[0])
        self._second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        corrected = (self._second / (1 - BETAS[1] ** self._updates)).sqrt_().add_(EPSILON)
        rates = self._rates / (1 - BETAS[0] ** self._updates)
        numbers.sub_(rates * (self._first / corrected))

    def keep(self, rows: Tensor) -> None:
        """Drop all members but these."""
        # One row a member in each of these; the unused ones of sgd or adam as well.
        for name in ("_rates", "_inertia", "_decays", "_first", "_second"):
            setattr(self, name, getattr(self, name)[rows])
