import pytest
import torch

from fitreel.settings import OptimizerName, TrainingSettings
from fitreel.training.network import Network
from fitreel.training.stack import Stack

CPU = torch.device("cpu")
MEMBERS = [TrainingSettings(hidden=hidden, seed=seed) for hidden, seed in ((5, 0), (9, 1), (5, 2))]


def test_members_start_with_the_same_weights_as_alone() -> None:
    stack = Stack(MEMBERS, torch.float64, CPU)
    assert stack.numbers.shape == (3, 3 * 9 + 1)
    for row, settings in enumerate(MEMBERS):
        found, expected = stack.weights(row), Network(settings).weights()
        assert torch.equal(found.input_weight, expected.input_weight)
        assert torch.equal(found.bias, expected.bias)
        assert torch.equal(found.output_weight, expected.output_weight)
        assert torch.equal(found.output_bias, expected.output_bias)
    assert not stack.shape.split(stack.numbers)[0][0, 5:].any()
    assert stack.is_neuron.sum(dim=1).tolist() == [5, 9, 5]


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_members_train_as_if_no_other_had_been_dropped(optimizer: OptimizerName) -> None:
    members = [TrainingSettings(hidden=3, seed=seed, optimizer=optimizer) for seed in range(4)]
    whole, kept = Stack(members, torch.float64, CPU), Stack(members, torch.float64, CPU)
    rows = torch.tensor([0, 2])
    for step in range(6):
        for stack in (whole, kept):
            stack.update(stack.numbers.sin() + step)
        if step == 2:
            kept.keep(rows)
    assert torch.equal(kept.numbers, whole.numbers[rows])
    assert torch.equal(kept.weights(1).flat(), whole.weights(2).flat())
