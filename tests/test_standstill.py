from dataclasses import replace
from pathlib import Path

import pytest
import torch
from mlflow.tracking import MlflowClient

from fitreel.data.dataset import Dataset
from fitreel.settings import TrainingSettings
from fitreel.training.loop import Fit, fit
from fitreel.training.network import Network
from fitreel.training.standstill import why_nothing_learned
from fitreel.training.weights import Weights
from tests.conftest import Command
from tests.rows import classes, numbers
from tests.stored import change_facts, tags_of


@pytest.fixture(scope="module")
def raw() -> Dataset:
    """Return a parabola in units that are far too large for a learning rate of 0.1."""
    x = torch.linspace(0, 1000, 100)
    return Dataset(x, x**2 / 1000)


def constant(value: float, **parts: torch.Tensor) -> Weights:
    """Return a network of three neurons that predicts ``value`` unless ``parts`` add to it."""
    nothing = {name: torch.zeros(3) for name in ("input_weight", "bias", "output_weight")}
    numbers = [*(nothing | parts).values(), torch.tensor([value])]
    return Weights.from_flat(torch.cat(numbers), "relu")


def test_a_network_that_learned_the_curve_has_no_reason(dataset: Dataset) -> None:
    network, history = fit(dataset)
    assert why_nothing_learned(network.weights(), dataset, history.losses) == ""


def test_a_rate_too_large_for_the_units_kills_all_neurons(raw: Dataset) -> None:
    network, history = fit(raw)
    assert history.losses.max() > 1e9
    assert why_nothing_learned(network.weights(), raw, history.losses).startswith(
        "all 20 neurons are dead, "
    )


def test_dead_neurons_alone_are_a_reason(dataset: Dataset) -> None:
    weights = constant(0.4, bias=torch.full((3,), -2.0), input_weight=torch.ones(3))
    reason = why_nothing_learned(weights, dataset, error=0.1)
    assert reason == "all 3 neurons are dead; lower lr or scale the points down"
    alive = constant(0.4, bias=torch.tensor([-2.0, -2.0, -0.9]), input_weight=torch.ones(3))
    assert why_nothing_learned(alive, dataset, error=0.1) == ""


def test_a_fit_no_better_than_the_mean_is_a_reason(dataset: Dataset) -> None:
    alive = torch.ones(3)
    reason = why_nothing_learned(constant(0.3, bias=alive), dataset)
    assert reason.startswith("the mean of y fits the points as well (r² -0.")
    assert reason.endswith("); change lr or train longer")
    network = Network(TrainingSettings(activation="tanh"))
    assert "mean" in why_nothing_learned(network.weights(), dataset)  # an untrained network


def test_a_loss_far_above_its_start_is_a_reason(trained: Fit, dataset: Dataset) -> None:
    weights = trained.network.weights()
    reason = why_nothing_learned(weights, dataset, [0.5, 2e20, 48160])
    assert reason.startswith("the loss went from 0.5 up to 4.816e+04; lower lr")
    assert why_nothing_learned(weights, dataset, [0.5, 2e20, 4]) == ""
    assert why_nothing_learned(weights, dataset, []) == ""


def test_equal_points_have_no_r2_and_are_no_reason() -> None:
    points = Dataset(torch.linspace(0, 1, 5), torch.ones(5))
    assert why_nothing_learned(constant(1.0, bias=torch.ones(3)), points) == ""


def test_of_a_table_the_target_is_named_and_nothing_can_be_scaled() -> None:
    dataset = numbers()
    idle = fit(dataset, TrainingSettings(hidden=3, lr=1e-9, epochs=1)).network.weights()
    reason = why_nothing_learned(idle, dataset)
    assert reason.startswith("the mean of price fits the rows as well (r² ")
    dead = replace(idle, bias=torch.full((3,), -1e9))
    assert why_nothing_learned(dead, dataset).startswith("all 3 neurons are dead, the mean of ")
    assert why_nothing_learned(dead, dataset).endswith("; lower lr")
    rising = [1.0, 50.0]
    assert "from 1 up to 50" in why_nothing_learned(idle, dataset, rising)


def test_no_better_than_the_frequencies_of_the_classes_is_a_reason() -> None:
    dataset = classes()
    settings = TrainingSettings(hidden=3, optimizer="adam", lr=0.02, epochs=300)
    learned = fit(dataset, settings).network.weights()
    assert why_nothing_learned(learned, dataset) == ""
    frequencies = torch.bincount(dataset.y) / len(dataset)
    nothing = torch.zeros_like(learned.output_weight)
    constant = replace(learned, output_weight=nothing, output_bias=frequencies.log())
    loss = -(frequencies * frequencies.log()).sum().item()
    assert why_nothing_learned(constant, dataset) == (
        f"the frequencies of the classes of kind fit the rows as well (log loss {loss:.4g} against "
        f"{loss:.4g}); change lr or train longer"
    )
    better = replace(constant, output_weight=0.01 * learned.output_weight)
    assert why_nothing_learned(better, dataset) == ""
    assert why_nothing_learned(learned, dataset, error=9.0)
    alone = Dataset([1, 2, 3], [0, 0, 0], classes=("a", "b"))
    assert why_nothing_learned(fit(alone, epochs=1).network.weights(), alone) == ""


def test_the_run_says_so_in_a_line_a_tag_and_its_note(fitreel: Command, tmp_path: Path) -> None:
    units = ("--function", "abs", "--x-min", "0", "--x-max", "1000", "--epochs", "1000")
    done = fitreel("run", *units)
    assert done.returncode == 0  # the result is logged like that of any training
    run_id = done.stdout.strip()
    lines = [line for line in done.stderr.splitlines() if line.startswith("fitreel: ")]
    store = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    tags = tags_of(store.get_run(run_id))
    assert tags["fitreel.outcome"] == "nothing learned"
    reason = tags["fitreel.nothing_learned"]
    assert reason.startswith("all 20 neurons are dead, the ")
    assert lines == [f"fitreel: the network learned nothing: {reason}"]  # once per command
    first = tags["mlflow.note.content"].splitlines()[0]
    assert first == f"**The network learned nothing**: {reason}"
    # Evaluated by a later command, even if the training left no tag.
    change_facts(store, run_id, nothing_learned=None)
    assert (
        "fitreel: the network learned nothing: all 20"
        in fitreel("evaluate", "--run", run_id).stderr
    )
    assert "fitreel.nothing_learned" in tags_of(store.get_run(run_id))


def test_a_trial_that_learned_nothing_has_the_tag(fitreel: Command, tmp_path: Path) -> None:
    few = ("--trials", "2", "--epochs", "5", "--seed", "0", "--space", "lr=log:1e-6:1e-5")
    assert fitreel("sweep", *few).returncode == 0
    runs = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").search_runs(["0"])
    trials = [tags_of(run) for run in runs if "fitreel.trial" in tags_of(run)]
    assert len(trials) == 2
    assert all("the mean of y" in tags["fitreel.nothing_learned"] for tags in trials)
