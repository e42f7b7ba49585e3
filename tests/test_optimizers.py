"""The optimizers of one network and of a stack update numbers exactly as torch's do."""

from typing import get_args

import pytest
import torch
from torch.optim import SGD, Adam

from fitreel.settings import OptimizerName, TrainingSettings
from fitreel.training.optimizers import MOMENTUM, Optimizer, StackOptimizer

SHAPES = ((20, 1), (20,), (1, 20), (1,))


def of_torch(name: OptimizerName, lr: float, numbers: list[torch.Tensor]) -> torch.optim.Optimizer:
    if name == "adam":
        return Adam(numbers, lr=lr)
    return SGD(numbers, lr=lr, momentum=MOMENTUM if name == "momentum" else 0)


@pytest.mark.parametrize("name", get_args(OptimizerName))
def test_a_network_is_updated_as_by_torch_to_the_last_bit(name: OptimizerName) -> None:
    generator = torch.Generator().manual_seed(0)
    ours = [torch.randn(shape, generator=generator) for shape in SHAPES]
    theirs = [each.clone() for each in ours]
    optimizer = Optimizer(TrainingSettings(optimizer=name, lr=0.03), ours)
    expected = of_torch(name, 0.03, theirs)
    for _ in range(50):
        gradients = [torch.randn(shape, generator=generator) for shape in SHAPES]
        optimizer.update(gradients)
        for each, gradient in zip(theirs, gradients, strict=True):
            each.grad = gradient
        expected.step()
        for mine, other in zip(ours, theirs, strict=True):
            assert torch.equal(mine, other)


@pytest.mark.parametrize("name", get_args(OptimizerName))
def test_the_state_has_the_layout_of_earlier_checkpoints(
    name: OptimizerName,
) -> None:
    """Velocities; or first moments, second moments and the count of updates per parameter."""
    numbers = [torch.zeros(shape) for shape in SHAPES]
    optimizer = Optimizer(TrainingSettings(optimizer=name), numbers)
    optimizer.update([torch.full(shape, 2.0) for shape in SHAPES])
    flat = torch.cat([each.flatten() for each in optimizer.memory]).tolist()
    expected = {
        "sgd": [],
        "momentum": [2.0] * 61,
        "adam": [0.2] * 61 + [0.004] * 61 + [1.0] * 4,
    }
    assert flat == pytest.approx(expected[name])


@pytest.mark.parametrize("names", [("sgd", "momentum", "sgd"), ("adam", "adam", "adam")])
def test_every_member_of_a_stack_is_updated_as_by_torch(names: tuple[OptimizerName, ...]) -> None:
    rates = (0.1, 0.01, 0.003)
    members = [
        TrainingSettings(optimizer=name, lr=lr) for name, lr in zip(names, rates, strict=True)
    ]
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn((3, 13), generator=generator, dtype=torch.float64)
    alone = [row.clone() for row in numbers]
    expected = [
        of_torch(each.optimizer, each.lr, [row]) for each, row in zip(members, alone, strict=True)
    ]
    optimizer = StackOptimizer(members, numbers)
    for _ in range(20):
        gradient = torch.randn((3, 13), generator=generator, dtype=torch.float64)
        optimizer.update(numbers, gradient)
        for row, slope, each in zip(alone, gradient, expected, strict=True):
            row.grad = slope.clone()
            each.step()
    assert torch.allclose(numbers, torch.stack(alone), rtol=1e-12)
