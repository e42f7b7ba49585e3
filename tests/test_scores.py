"""The metrics of tables, against scikit-learn and against the loss of the training."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import metrics as theirs

from fitreel.data.dataset import Dataset, Rows
from fitreel.settings import TrainingSettings
from fitreel.settings.metrics import (
    CLASS_TEST_METRICS,
    METRICS,
    TEST_METRICS,
    higher_is_better,
    ranking_metric,
    retired,
)
from fitreel.training.evaluation import evaluate, evaluate_many
from fitreel.training.loop import fit
from fitreel.training.scores import class_scores, network_error
from tests.rows import classes, numbers, split

SETTINGS = TrainingSettings(hidden=8, optimizer="adam", lr=0.01, epochs=40)


def test_numbers_are_measured_on_test_rows_in_raw_units() -> None:
    dataset = numbers()
    network, history = fit(dataset, SETTINGS)
    found = evaluate(network, dataset)
    assert dataset.test
    truth = dataset.test.y.double().numpy()
    predicted = network.weights().predict(dataset.test.inputs).double().numpy()
    assert found["test_mse"] == pytest.approx(theirs.mean_squared_error(truth, predicted))
    assert found["test_rmse"] == pytest.approx(theirs.root_mean_squared_error(truth, predicted))
    assert found["test_mae"] == pytest.approx(theirs.mean_absolute_error(truth, predicted))
    assert found["test_r2"] == pytest.approx(theirs.r2_score(truth, predicted))
    assert history.trained_loss
    assert found["train_rmse"] == pytest.approx(history.trained_loss**0.5, rel=1e-5)
    assert set(found) == {*TEST_METRICS, "train_rmse", "dead_neurons"}
    assert network_error(network.weights(), dataset.test) == pytest.approx(found["test_rmse"])


@pytest.mark.parametrize("count", [2, 3])
def test_classes_are_measured_on_test_rows(count: int) -> None:
    dataset = classes(count=count)
    network, history = fit(dataset, SETTINGS)
    found = evaluate(network, dataset)
    assert dataset.test
    truth = dataset.test.y.numpy()
    chances = network.weights().predict(dataset.test.inputs).double().numpy()
    chances /= chances.sum(axis=1, keepdims=True)  # as scikit-learn demands, in float64
    chosen = chances.argmax(axis=1)
    assert found["test_log_loss"] == pytest.approx(theirs.log_loss(truth, chances), rel=1e-5)
    assert found["test_accuracy"] == theirs.accuracy_score(truth, chosen)
    assert found["test_f1"] == theirs.f1_score(truth, chosen, average="macro")
    if count == 2:
        assert found["test_roc_auc"] == theirs.roc_auc_score(truth, chances[:, 1])
    assert found["train_log_loss"] == pytest.approx(history.trained_loss, rel=1e-5)
    right = network.weights().predict(dataset.inputs).argmax(dim=1) == dataset.y
    assert found["train_accuracy"] == pytest.approx(right.double().mean().item())
    tested = CLASS_TEST_METRICS if count == 2 else CLASS_TEST_METRICS[:3]
    assert set(found) == {*tested, "train_log_loss", "train_accuracy", "dead_neurons"}
    assert network_error(network.weights(), dataset.test) == found["test_log_loss"]


def test_a_class_that_is_ruled_out_has_a_finite_loss() -> None:
    dataset = classes()
    weights = fit(dataset, SETTINGS).network.weights()
    sure = replace(weights, output_weight=1000 * weights.output_weight)
    found = evaluate(sure, dataset)["test_log_loss"]
    assert 36.05 < found < np.inf  # scikit-learn's, which clips probabilities, is never above


def test_test_rows_of_one_kind_have_neither_r2_nor_roc_auc() -> None:
    dataset = split(
        torch.arange(20.0).unsqueeze(1), torch.tensor([0] * 8 + [0, 1] * 6), classes="ab"
    )
    assert "test_roc_auc" not in evaluate(fit(dataset, SETTINGS).network, dataset)
    x = torch.arange(20.0)
    same = Dataset(x, x, test=Rows(torch.ones(3, 1), torch.ones(3)))
    assert "test_r2" not in evaluate(fit(same, SETTINGS).network, same)


def test_probabilities_that_round_to_1_still_rank_rows() -> None:
    chances = np.log([[1e-20, 1.0], [1e-30, 1.0], [0.5, 0.5], [0.6, 0.4]])
    rows = Rows(torch.zeros(4, 1), torch.tensor([0, 1, 0, 0]))
    assert class_scores(chances, rows)["test_roc_auc"] == 1


def test_without_test_rows_only_the_training_rows_are_measured() -> None:
    dataset = replace_test(classes(), None)
    found = evaluate(fit(dataset, SETTINGS).network, dataset)
    assert set(found) == {"train_log_loss", "train_accuracy", "dead_neurons"}
    dataset = replace_test(numbers(), None)
    assert set(evaluate(fit(dataset, SETTINGS).network, dataset)) == {"train_rmse", "dead_neurons"}


def replace_test(dataset: Dataset, test: Rows | None) -> Dataset:
    return Dataset(
        dataset.inputs, dataset.y, classes=dataset.classes, scaling=dataset.scaling, test=test
    )


def test_many_networks_are_measured_on_the_same_test_rows() -> None:
    dataset = numbers()
    networks = [fit(dataset, SETTINGS, seed=seed).network.weights() for seed in (1, 2)]
    assert list(evaluate_many(networks, dataset)) == [evaluate(each, dataset) for each in networks]


def test_metrics_have_an_order_and_a_direction() -> None:
    known = {*TEST_METRICS, *CLASS_TEST_METRICS, "train_rmse", "train_log_loss", "train_accuracy"}
    assert known < set(METRICS)
    rising = {name for name in METRICS if higher_is_better(name)}
    assert rising == {
        *("test_r2", "test_accuracy", "test_f1", "test_roc_auc"),
        "train_accuracy",
    }
    assert higher_is_better("ridge_test_r2")
    assert ranking_metric(has_classes=True) == "test_log_loss"
    assert ranking_metric(has_classes=False) == "test_rmse"


def test_the_names_of_0_3_0_are_retired_only_in_its_own_runs() -> None:
    table = {"test_rmse": 1.0, "test_mse": 1.0, "test_mae": 1.0, "train_rmse": 1.0}
    assert not retired(table)
    assert retired(table | {"train_mse": 1.0}) == {"test_mse", "test_mae", "train_mse"}
    assert retired({"noise_floor": 1.0, "loss": 1.0}) == {"noise_floor"}
