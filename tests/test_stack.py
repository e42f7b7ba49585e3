import pytest
import torch
from torch.optim import SGD, Adam

from fitreel.settings import OptimizerName, TrainingSettings
from fitreel.training.network import Network
from fitreel.training.stack import Stack
from fitreel.training.weights import Weights

CPU = torch.device("cpu")
MEMBERS = [TrainingSettings(hidden=hidden, seed=seed) for hidden, seed in ((5, 0), (9, 1), (5, 2))]


def test_members_begin_with_the_weights_that_they_would_have_alone() -> None:
    stack = Stack(MEMBERS, torch.float64, CPU)
    assert stack.numbers.shape == (3, 3 * 9 + 1)
    for row, settings in enumerate(MEMBERS):
        found, expected = stack.weights(row), Network(settings).weights()
        assert torch.equal(found.input_weight, expected.input_weight)
        assert torch.equal(found.bias, expected.bias)
        assert torch.equal(found.output_weight, expected.output_weight)
        assert torch.equal(found.output_bias, expected.output_bias)
    assert not Weights.split(stack.numbers)[0][0, 5:].any()
    assert stack.is_neuron.sum(dim=1).tolist() == [5, 9, 5]


@pytest.mark.parametrize("names", [("sgd", "momentum", "sgd"), ("adam", "adam", "adam")])
def test_updates_are_those_of_torch(names: tuple[OptimizerName, ...]) -> None:
    rates = (0.1, 0.01, 0.003)
    members = [
        TrainingSettings(hidden=4, seed=seed, optimizer=name, lr=lr)
        for seed, (name, lr) in enumerate(zip(names, rates, strict=True))
    ]
    stack = Stack(members, torch.float64, CPU)
    alone = [torch.nn.Parameter(row.clone()) for row in stack.numbers]
    optimizers = [
        Adam([row], lr=lr)
        if name == "adam"
        else SGD([row], lr=lr, momentum=0.9 if name == "momentum" else 0)
        for row, name, lr in zip(alone, names, rates, strict=True)
    ]
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        stack.gradient.copy_(torch.randn(stack.numbers.shape, generator=generator))
        for row, gradient, optimizer in zip(alone, stack.gradient, optimizers, strict=True):
            row.grad = gradient.clone()
            optimizer.step()
        stack.update()
    assert torch.allclose(stack.numbers, torch.stack([row.detach() for row in alone]), rtol=1e-12)


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_those_that_are_kept_go_on_as_if_nothing_had_happened(optimizer: OptimizerName) -> None:
    members = [TrainingSettings(hidden=3, seed=seed, optimizer=optimizer) for seed in range(4)]
    whole, kept = Stack(members, torch.float64, CPU), Stack(members, torch.float64, CPU)
    rows = torch.tensor([0, 2])
    for step in range(6):
        for stack in (whole, kept):
            stack.gradient.copy_(stack.numbers.sin() + step)
            stack.update()
        if step == 2:
            kept.keep(rows)
    assert torch.equal(kept.numbers, whole.numbers[rows])
    assert kept.widths == [3, 3]
