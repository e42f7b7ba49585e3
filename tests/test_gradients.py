from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch.nn import functional as F

from fitreel.data.dataset import Dataset
from fitreel.settings import ActivationName, TrainingSettings
from fitreel.training.gradients import Gradients
from fitreel.training.stack import Stack

CPU = torch.device("cpu")
# Relative to the largest number: in float64, to check the formulas, and in float32, as in training.
TOLERANCES = {torch.float64: 1e-12, torch.float32: 2e-6}


def scattered() -> Dataset:
    """Return unsorted points, two of them with the same x."""
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(41, generator=generator) * 3 - 1
    x[7] = x[30]
    return Dataset(x, torch.sin(3 * x) + torch.rand(41, generator=generator))


def measure(stack: Stack, dataset: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    return Gradients(dataset, stack.numbers.dtype, CPU)(stack)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("activation", get_args(ActivationName))
def test_losses_and_gradients_are_those_of_autograd(
    activation: ActivationName, dtype: torch.dtype
) -> None:
    members = [
        TrainingSettings(hidden=hidden, seed=seed, activation=activation)
        for hidden, seed in ((7, 0), (30, 1), (1, 2))
    ]
    dataset, tolerance = scattered(), TOLERANCES[dtype]
    stack = Stack(members, dtype, CPU)
    losses, gradient = measure(stack, dataset)
    for row in range(len(members)):
        weights = stack.weights(row)
        parts = (weights.input_weight, weights.bias, weights.output_weight, weights.output_bias)
        leaves = [part.double().requires_grad_() for part in parts]
        loss = F.mse_loss(
            replace(
                weights,
                input_weight=leaves[0],
                bias=leaves[1],
                output_weight=leaves[2],
                output_bias=leaves[3],
            ).predict(dataset.x.double()),
            dataset.y.double(),
        )
        assert losses[row].item() == pytest.approx(loss.item(), rel=tolerance)
        found = stack.shape.split(gradient[row : row + 1].double())
        for part, expected in zip(found, torch.autograd.grad(loss, leaves), strict=True):
            width = expected.numel()
            error = (part[0].flatten()[:width] - expected.flatten()).abs().max()
            assert error <= tolerance * expected.abs().max()
            assert not part[0, width:].any()  # padding does not change


def test_a_point_on_a_kink_does_not_activate_the_neuron() -> None:
    """As in autograd, where the derivative of relu at 0 is 0."""
    stack = Stack([TrainingSettings(hidden=2)], torch.float64, CPU)
    weight, bias, output, output_bias = stack.shape.split(stack.numbers)
    weight[0, :, 0], bias[0] = (
        torch.tensor([1.0, -1.0]),
        torch.tensor([0.0, 1.0]),
    )  # kinks at 0 and 1
    output[0, 0], output_bias[0] = torch.tensor([2.0, 3.0]), 0.5
    _, gradient = measure(stack, Dataset(torch.tensor([0.0, 1.0]), torch.zeros(2)))
    _, by_bias, _, _ = stack.shape.split(gradient)
    # At 0 only the second neuron is active, at 1 only the first: errors 3.5 and 2.5.
    assert by_bias[0].tolist() == [2.5 * 2, 3.5 * 3]


def test_neurons_without_input_weight_are_active_everywhere_or_nowhere() -> None:
    stack = Stack([TrainingSettings(hidden=3)], torch.float64, CPU)
    weight, bias, output, output_bias = stack.shape.split(stack.numbers)
    weight[0, :, 0] = torch.tensor([0.0, 0.0, -0.0])
    bias[0] = torch.tensor([0.5, -0.5, 0.0])
    output[0, 0] = torch.tensor([2.0, 3.0, 4.0])
    output_bias[0] = 0.25
    x = torch.linspace(-1, 1, 9)
    losses, gradient = measure(stack, Dataset(x, torch.zeros(9)))
    assert losses.item() == pytest.approx(1.25**2, rel=1e-12)
    by_weight, by_bias, by_output, _ = stack.shape.split(gradient)
    assert by_bias[0].tolist() == pytest.approx([2 * 1.25 * 2, 0, 0], rel=1e-12)
    assert by_output[0, 0].tolist() == pytest.approx([2 * 1.25 * 0.5, 0, 0], rel=1e-12)
    assert by_weight[0, :, 0].tolist() == pytest.approx([0, 0, 0], abs=1e-12)


def test_dead_neurons_have_no_gradient() -> None:
    stack = Stack([TrainingSettings(hidden=2)], torch.float64, CPU)
    weight, bias, _, _ = stack.shape.split(stack.numbers)
    weight[0, :, 0] = torch.tensor([1.0, -1.0])
    bias[0] = torch.tensor([-2.0, -2.0])  # kinks at 2 and -2, beyond the points
    _, gradient = measure(stack, scattered())
    by_weight, by_bias, by_output, _ = stack.shape.split(gradient)
    assert not torch.cat([by_weight.flatten(), by_bias.flatten(), by_output.flatten()]).any()
