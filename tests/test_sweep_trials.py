"""Trials: a round trains and measures each as if alone; a record keeps every digit."""

import json

import numpy as np
import pytest
import torch

from fitreel.data.dataset import Dataset
from fitreel.journal.checkpoints import pack
from fitreel.settings import DataSettings, EvaluationSettings, TrainingSettings
from fitreel.sweep.rounds import Round
from fitreel.sweep.trials import Outcome, Trial, curve_steps
from fitreel.training.evaluation import evaluate
from fitreel.training.loop import fit

MEASURE = (DataSettings(), EvaluationSettings(200))


def outcomes_of(
    dataset: Dataset, *settings: TrainingSettings, prune: bool = False
) -> list[Outcome]:
    trials = [Trial(number, each, 10) for number, each in enumerate(settings)]
    return Round(dataset, *MEASURE, trials, prune).train()


def test_a_trial_has_the_same_results_as_alone(dataset: Dataset) -> None:
    settings = [TrainingSettings(epochs=75, lr=0.05), TrainingSettings(epochs=30, hidden=5)]
    for outcome, each in zip(outcomes_of(dataset, *settings), settings, strict=True):
        network, history = fit(dataset, each)
        assert (outcome.end, outcome.epochs) == ("finished", each.epochs)
        steps = [*range(0, each.epochs, 10), each.epochs - 1]
        assert outcome.curve == pytest.approx(history.losses[steps], rel=1e-4)
        assert outcome.metrics == pytest.approx(
            evaluate(network.weights(), dataset, *MEASURE), rel=1e-3
        )


def test_a_round_restores_the_number_of_threads(dataset: Dataset) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        outcomes_of(dataset, TrainingSettings(epochs=1))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_curves_have_their_first_and_last_point() -> None:
    assert curve_steps(75, 10).tolist() == [0, 10, 20, 30, 40, 50, 60, 70, 74]
    assert curve_steps(3, 1).tolist() == [0, 1, 2]
    assert curve_steps(3, 100).tolist() == [0, 2]
    assert curve_steps(1, 100).tolist() == [0]
    assert curve_steps(0, 1).tolist() == []


def test_a_diverged_trial_changes_no_other(dataset: Dataset) -> None:
    tame, wild = TrainingSettings(epochs=60), TrainingSettings(epochs=60, lr=1e5)
    (alone,), (diverged, other) = outcomes_of(dataset, tame), outcomes_of(dataset, wild, tame)
    assert diverged.end == "diverged"
    assert 0 < diverged.epochs < 60
    assert len(diverged.curve) == len(curve_steps(diverged.epochs, 10))
    assert np.isfinite(diverged.curve).all()
    assert (diverged.metrics, diverged.weights) == ({}, None)
    assert other.metrics == alone.metrics


def test_pruning_leaves_one_of_sixteen_to_the_end(dataset: Dataset) -> None:
    settings = [TrainingSettings(epochs=160, lr=0.002 * 1.3**k) for k in range(16)]
    outcomes = outcomes_of(dataset, *settings, prune=True)
    ends = [outcome.epochs for outcome in outcomes]
    assert sorted(ends) == [10] * 8 + [20] * 4 + [40] * 2 + [80] + [160]
    (winner,) = (outcome for outcome in outcomes if outcome.end == "finished")
    assert winner.curve[1] == min(outcome.curve[1] for outcome in outcomes)


def test_a_record_of_an_earlier_version_is_read(dataset: Dataset) -> None:
    """It stores input weights, biases, output weights and output bias."""
    (outcome,) = outcomes_of(dataset, TrainingSettings(epochs=1, hidden=2))
    record = outcome.to_record() | {"weights": pack(np.arange(7, dtype=np.float32))}
    del record["shape"]
    weights = Outcome.from_record(record).weights
    assert weights is not None
    assert (weights.input_weight.tolist(), weights.bias.tolist()) == ([[0], [1]], [2, 3])
    assert (weights.output_weight.tolist(), weights.output_bias.item()) == ([[4, 5]], 6)


@pytest.mark.parametrize("hidden", [1, 20])
def test_a_record_restores_an_outcome_exactly(dataset: Dataset, hidden: int) -> None:
    settings = [TrainingSettings(epochs=20, hidden=hidden), TrainingSettings(epochs=20, lr=1e6)]
    for outcome in outcomes_of(dataset, *settings):
        again = Outcome.from_record(json.loads(json.dumps(outcome.to_record())))
        assert (again.number, again.end, again.epochs) == (
            outcome.number,
            outcome.end,
            outcome.epochs,
        )
        assert np.array_equal(again.curve, outcome.curve)
        assert (again.metrics, again.times) == (outcome.metrics, outcome.times)
        assert (again.weights is None) == (outcome.weights is None)
        if again.weights and outcome.weights:
            for name in ("input_weight", "bias", "output_weight", "output_bias"):
                assert getattr(again.weights, name).equal(getattr(outcome.weights, name))
            assert again.weights.activation == outcome.weights.activation
