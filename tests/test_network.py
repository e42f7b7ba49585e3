from typing import get_args

import numpy as np
import pytest
import torch

from fitreel.data.dataset import Dataset
from fitreel.data.drawing import generate, generate_unseen
from fitreel.settings import LARGEST_SEED, ActivationName, DataSettings, TrainingSettings
from fitreel.training.activations import ACTIVATIONS
from fitreel.training.many import fit_many
from fitreel.training.network import Network
from fitreel.training.weights import Weights


def test_a_network_starts_with_the_weights_of_pytorch_layers() -> None:
    network = Network(TrainingSettings(hidden=4000))
    weight, bias = network.output.weight, network.hidden.bias
    assert bias.abs().max().item() == pytest.approx(1, abs=0.01)  # 1 / sqrt(one input)
    assert weight.abs().max().item() == pytest.approx(4000**-0.5, rel=0.01)
    assert weight.mean().item() == pytest.approx(0, abs=1e-3)


def test_the_seed_alone_determines_the_weights() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (Network(TrainingSettings(seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(first.hidden.weight, again.hidden.weight)
    assert not torch.equal(first.hidden.weight, other.hidden.weight)


@pytest.mark.parametrize("seed", [0, 1, 72, LARGEST_SEED])
def test_the_weights_share_no_random_numbers_with_the_points(seed: int) -> None:
    """Weights and points come from generators of different kinds, whatever the seeds."""
    network = Network(TrainingSettings(hidden=1000, seed=seed))
    drawn = torch.cat([network.hidden.weight[:, 0], network.hidden.bias])  # uniform in ±1
    noise = DataSettings(1000, noise=1, data_seed=seed)
    for points in (generate(noise), generate_unseen(noise, 1000)):
        uniform = 2 * (points.y - points.x**2) - 1
        for place in (0, 1000):  # no number is equal at the same position
            assert not torch.isclose(drawn[place : place + 1000], uniform, atol=1e-6).any()
        assert abs(torch.corrcoef(torch.stack([drawn[:1000], uniform]))[0, 1]) < 0.15


def test_the_default_seed_is_the_median_of_a_hundred(dataset: Dataset) -> None:
    seeds = range(100)
    trained = list(fit_many(dataset, [TrainingSettings(seed=seed) for seed in seeds]))
    losses = np.array([each.losses[-1] for each in trained])
    dead = [int(each.weights.dead(dataset.x).sum()) for each in trained if each.weights]
    default = TrainingSettings().seed
    assert 45 <= np.count_nonzero(losses <= losses[default]) <= 55
    assert dead[default] == np.median(dead) == 6


@pytest.mark.parametrize("activation", get_args(ActivationName))
def test_weights_predict_the_same_as_the_network(activation: ActivationName) -> None:
    network = Network(TrainingSettings(hidden=7, activation=activation))
    x = torch.linspace(-2, 2, 33)
    expected = network(x.unsqueeze(1))[:, 0]
    assert torch.allclose(network.weights().predict(x), expected, atol=1e-6)


def test_stacked_weights_predict_a_row_per_network() -> None:
    members = [Network(TrainingSettings(seed=seed)).weights() for seed in range(3)]
    x = torch.linspace(-1, 1, 5)
    stacked = Weights(
        torch.stack([member.input_weight for member in members]),
        torch.stack([member.bias for member in members]),
        torch.stack([member.output_weight for member in members]),
        torch.stack([member.output_bias for member in members]),
        "relu",
    )
    assert stacked.predict(x).shape == (3, 5)
    for number, member in enumerate(members):
        assert torch.allclose(stacked.predict(x)[number], member.predict(x))
        assert torch.equal(stacked[number].bias, member.bias)


def test_a_flat_network_has_its_weights_in_the_order_of_all_files() -> None:
    """Journals, records of sweeps and pages have this layout, also those of earlier versions."""
    weights = Weights.from_flat(torch.arange(7.0), "tanh")
    assert weights.input_weight.tolist() == [[0], [1]]
    assert weights.bias.tolist() == [2, 3]
    assert weights.output_weight.tolist() == [[4, 5]]
    assert weights.output_bias.item() == 6
    assert weights.activation == "tanh"
    assert weights.flat().tolist() == list(range(7))
    assert weights.shape == (2, 1, 1)
    assert weights.shape.size == 7


@pytest.mark.parametrize("hidden", [1, 5])
def test_the_parameters_of_a_module_flatten_to_the_same_row(hidden: int) -> None:
    network = Network(TrainingSettings(hidden=hidden))
    flat = torch.cat([each.detach().flatten() for each in network.parameters()])
    assert torch.equal(network.weights().flat(), flat)
    for back, own in zip(network.weights().parameters(), network.parameters(), strict=True):
        assert torch.equal(back, own)


def test_flat_stacked_networks_have_a_row_each() -> None:
    rows = torch.arange(14.0).view(2, 7)
    stacked = Weights.from_flat(rows, "relu")
    assert torch.equal(stacked.flat(), rows)
    assert torch.equal(stacked[1].flat(), rows[1])
    assert torch.equal(stacked[torch.tensor([1, 0])].flat(), rows[[1, 0]])
    rows.zero_()
    assert stacked.output_bias.tolist() == [[6], [13]]  # a copy
    assert all(part.is_contiguous() for part in (stacked.bias, stacked.output_bias))


def test_weights_from_flat_networks_are_aligned() -> None:
    """Sums over unaligned rows would differ in the last bit from those over torch's parameters."""
    weights = Weights.from_flat(torch.arange(7.0), "relu")
    for part in (weights.input_weight, weights.bias, weights.output_weight, weights.output_bias):
        assert part.data_ptr() % 64 == 0


def test_weights_are_a_copy() -> None:
    network = Network(TrainingSettings())
    weights = network.weights()
    with torch.no_grad():
        network.hidden.bias.add_(1)
    assert not torch.equal(weights.bias, network.hidden.bias)


def test_a_neuron_is_dead_if_no_point_activates_it() -> None:
    # x - 2, -x - 2 and x: for x from -1 to 1 only the last is ever above zero.
    # Input weights 1, -1, 1; biases -2, -2, 0; output weights 1, 1, 1; output bias 0.
    numbers = torch.tensor([1.0, -1, 1, -2, -2, 0, 1, 1, 1, 0])
    x = torch.linspace(-1, 1, 11)
    assert Weights.from_flat(numbers, "relu").dead(x).tolist() == [True, True, False]
    assert not Weights.from_flat(numbers, "tanh").dead(x).any()


def test_an_error_names_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"do not fit: \(3, 1\), \(2,\), \(1, 3\), \(1,\)"):
        Weights(torch.ones(3, 1), torch.ones(2), torch.ones(1, 3), torch.ones(1), "relu")


def test_every_activation_is_computed() -> None:
    assert tuple(ACTIVATIONS) == get_args(ActivationName)
