"""Memory: large experiments are computed in parts with the same results."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import get_args

import pytest
import torch

from fitreel.data.dataset import Dataset
from fitreel.settings import (
    ActivationName,
    DataSettings,
    EvaluationSettings,
    OptimizerName,
    TrainingSettings,
)
from fitreel.training import many, memory
from fitreel.training.evaluation import evaluate
from fitreel.training.gradients import Gradients
from fitreel.training.history import History
from fitreel.training.loop import fit
from fitreel.training.many import fit_many
from fitreel.training.members import Members
from fitreel.training.memory import is_shortage, rows_at_once
from fitreel.training.stack import Stack
from fitreel.training.weights import Weights


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower the limits so that a hundred points and twenty neurons need seven parts."""
    monkeypatch.setattr(memory, "MOST_NUMBERS", 300)


@pytest.mark.parametrize("optimizer", get_args(OptimizerName))
@pytest.mark.parametrize("activation", get_args(ActivationName))
def test_losses_in_parts_equal_those_of_the_whole(
    dataset: Dataset,
    activation: ActivationName,
    optimizer: OptimizerName,
    request: pytest.FixtureRequest,
) -> None:
    settings = TrainingSettings(activation=activation, optimizer=optimizer, lr=0.02, epochs=100)
    whole = fit(dataset, settings).history
    request.getfixturevalue("little_memory")
    parts = fit(dataset, settings).history
    assert parts.losses == pytest.approx(whole.losses, rel=1e-6)
    # A journal stores four bytes per loss.
    assert torch.tensor(parts.losses).float().double().tolist() == parts.losses.tolist()


@pytest.mark.parametrize("activation", get_args(ActivationName))
def test_gradients_in_parts_equal_those_of_the_whole(
    dataset: Dataset, activation: ActivationName, request: pytest.FixtureRequest
) -> None:
    members = [TrainingSettings(activation=activation, hidden=width) for width in (5, 20)]
    stack = Stack(members, torch.float32, torch.device("cpu"))
    gradients = Gradients(dataset, torch.float32, torch.device("cpu"))
    losses, gradient = gradients(stack)
    request.getfixturevalue("little_memory")
    losses_in_parts, gradient_in_parts = gradients(stack)
    assert losses_in_parts.tolist() == pytest.approx(losses.tolist(), rel=1e-6)
    assert torch.allclose(gradient_in_parts, gradient, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("most", [1, 3 * 20 * 100])
def test_trainings_in_small_stacks_equal_those_in_one_stack(
    dataset: Dataset, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train stacks of one member and of three."""
    settings = [TrainingSettings(seed=seed, epochs=60) for seed in range(7)]
    whole = fit_many(dataset, settings)
    sizes = []

    class Counted(Members):
        def __init__(
            self,
            dataset: Dataset,
            settings: Sequence[TrainingSettings],
            places: list[int],
            device: str,
            frame_every: int | None,
            kept: Sequence[torch.Tensor | None],
        ) -> None:
            sizes.append(len(places))
            super().__init__(dataset, settings, places, device, frame_every, kept)

    monkeypatch.setattr(memory, "STACKED_NUMBERS", most)
    monkeypatch.setattr(many, "Members", Counted)
    for one, other in zip(whole, fit_many(dataset, settings), strict=True):
        assert other.losses == pytest.approx(one.losses, rel=1e-6)
    assert sizes == ([1] * 7 if most == 1 else [3, 3, 1])


def test_predictions_and_errors_in_parts_equal_those_of_the_whole(
    dataset: Dataset, trained: tuple[object, History], request: pytest.FixtureRequest
) -> None:
    frames = trained[1].frames
    weights, data, fresh = frames[-1], DataSettings(), EvaluationSettings(500)
    line, errors = frames.predict(dataset.x), evaluate(weights, dataset, data, fresh)
    request.getfixturevalue("little_memory")
    assert torch.allclose(frames.predict(dataset.x), line, rtol=1e-6)
    assert evaluate(weights, dataset, data, fresh) == pytest.approx(errors, rel=1e-6)


def test_a_neuron_that_is_dead_at_both_ends_is_dead_on_all_points() -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(500, generator=generator) * 1e-3 + 1
    weight, bias = (torch.randn(3000, generator=generator) for _ in range(2))
    kinks = -weight * x[torch.arange(3000) % 500]  # the float32 next to a point
    for each in (bias, kinks):
        weights = Weights.from_flat(torch.cat([weight, each, weight, torch.zeros(1)]), "relu")
        assert torch.equal(weights.dead(x), (weights.hidden_inputs(x) <= 0).all(dim=0))


LARGE = """
import resource
from dataclasses import replace
from fitreel.training.many import fit_many
from fitreel.data.drawing import generate
from fitreel.training.evaluation import evaluate
from fitreel.settings import DataSettings, EvaluationSettings, TrainingSettings
from fitreel.training.loop import fit
data, training = DataSettings(samples=30_000), TrainingSettings(hidden=4096, epochs=1, lr=1e-5)
dataset = generate(data)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
weights = fit(dataset, training).network.weights()
fit_many(dataset, [replace(training, activation="tanh"), training])
fit_many(dataset, [replace(training, hidden=20)] * 300)
fit_many(generate(DataSettings(samples=10_000)), [replace(training, hidden=64)] * 64)
fit_many(generate(DataSettings(samples=100_000)), [replace(training, hidden=64)] * 8)
evaluate(weights, dataset, data, EvaluationSettings(30_000))
weights.dead(dataset.x)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_large_experiment_needs_little_memory() -> None:
    """Points times neurons are 0.5 GB in float32; an earlier version needed several of these."""
    done = subprocess.run(
        [sys.executable, "-c", LARGE], capture_output=True, text=True, check=True, env=os.environ
    )
    assert int(done.stdout) < 1_000_000  # kB


def test_a_row_that_is_too_wide_is_computed_alone() -> None:
    assert rows_at_once(2**40) == 1


def test_errors_about_full_memory_are_recognised() -> None:
    with pytest.raises(RuntimeError) as error:
        torch.empty(2**58, dtype=torch.uint8)
    assert is_shortage(error.value)
    assert is_shortage(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."))
    assert is_shortage(MemoryError())
    assert not is_shortage(RuntimeError("the shapes do not fit"))
