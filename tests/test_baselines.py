"""The baselines of a split, and the words for a network that is worse."""

import time

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from fitreel.data.dataset import Dataset, Rows, scaled
from fitreel.settings.metrics import CLASS_TEST_METRICS, TEST_METRICS
from fitreel.training import baselines
from fitreel.training.baselines import baseline_metrics, why_worse
from tests.rows import classes, numbers, split


def test_the_mean_and_ridge_regression_are_fitted_to_the_training_rows() -> None:
    dataset = numbers()
    found = baseline_metrics(dataset)
    assert set(found) == {f"{name}_{each}" for name in ("mean", "ridge") for each in TEST_METRICS}
    assert dataset.test
    truth = dataset.test.y.double().numpy()
    mean = dataset.y.double().mean().item()
    assert found["mean_test_mae"] == pytest.approx(np.abs(truth - mean).mean())
    assert found["mean_test_rmse"] == pytest.approx(np.square(truth - mean).mean() ** 0.5)
    inputs, _ = scaled(dataset, dataset)
    test_inputs, _ = scaled(dataset, dataset.test)
    # The noise has deviation 1, and there are few features: a small penalty, if any, is best.
    errors = []
    for penalty in baselines.PENALTIES:
        model = Ridge(alpha=penalty).fit(inputs.double().numpy(), dataset.y.double().numpy())
        missed = model.predict(test_inputs.double().numpy()) - truth
        errors.append(np.square(missed).mean() ** 0.5)
    assert any(found["ridge_test_rmse"] == pytest.approx(each, rel=1e-6) for each in errors)
    assert found["ridge_test_rmse"] < 1.5 < found["mean_test_rmse"]


@pytest.mark.parametrize("count", [2, 3])
def test_frequencies_and_logistic_regression_are_fitted_to_the_training_rows(count: int) -> None:
    dataset = classes(count=count)
    found = baseline_metrics(dataset)
    tested = CLASS_TEST_METRICS if count == 2 else CLASS_TEST_METRICS[:3]
    assert set(found) == {f"{name}_{each}" for name in ("majority", "logistic") for each in tested}
    assert dataset.test
    shares = np.bincount(dataset.y.numpy()) / len(dataset)
    truth = dataset.test.y.numpy()
    assert found["majority_test_log_loss"] == pytest.approx(-np.log(shares[truth]).mean())
    assert found["majority_test_accuracy"] == (truth == shares.argmax()).mean()
    inputs, targets = scaled(dataset, dataset)
    test_inputs, _ = scaled(dataset, dataset.test)
    model = LogisticRegression(max_iter=200).fit(inputs.double().numpy(), targets.numpy())
    chances = model.predict_proba(test_inputs.double().numpy())
    expected = -np.log(chances[np.arange(len(truth)), truth]).mean()
    assert found["logistic_test_log_loss"] == pytest.approx(expected, rel=1e-5)


def test_without_test_rows_there_are_no_baselines() -> None:
    assert baseline_metrics(Dataset([1, 2, 3], [1, 2, 3])) == {}


def test_rows_that_were_made_by_hand_need_no_scaling() -> None:
    rows = Rows(torch.tensor([[2500.0]]), torch.tensor([2.5]))
    found = baseline_metrics(Dataset([1000, 2000, 3000], [1, 2, 3], test=rows))
    assert found["ridge_test_rmse"] == pytest.approx(0, abs=0.01)


def test_a_class_without_training_rows_costs_much_but_not_everything() -> None:
    x = torch.linspace(0, 1, 12).unsqueeze(1)
    kept = Dataset(
        x, [0, 2] * 6, classes="abc", test=Rows(torch.tensor([[0.5]]), torch.tensor([1]))
    )
    found = baseline_metrics(kept)
    assert found["majority_test_log_loss"] == found["logistic_test_log_loss"]
    assert 36 < found["majority_test_log_loss"] < 37
    last = Dataset(x, kept.y, classes="abc", test=Rows(x[-1:], torch.tensor([2])))
    assert baseline_metrics(last)["logistic_test_log_loss"] < 1
    alone = Dataset(x, [1] * 12, classes="abc", test=Rows(x[:1], torch.tensor([1])))
    assert baseline_metrics(alone)["logistic_test_log_loss"] == 0


def test_many_rows_are_fitted_as_a_sample_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = classes(rows=5000, features=20)
    whole = baseline_metrics(dataset)
    monkeypatch.setattr(baselines, "MOST_ROWS", 2000)
    sample = baseline_metrics(dataset)
    assert sample == baseline_metrics(dataset)  # always the same rows
    assert sample["majority_test_log_loss"] == whole["majority_test_log_loss"]
    assert sample["logistic_test_log_loss"] != whole["logistic_test_log_loss"]
    assert sample["logistic_test_log_loss"] == pytest.approx(
        whole["logistic_test_log_loss"], rel=0.1
    )


def test_a_million_rows_take_seconds() -> None:
    x = torch.randn(1_000_000, 20, generator=torch.Generator().manual_seed(0))
    started = time.perf_counter()
    assert baseline_metrics(split(x, x[:, 0] + x[:, 1]))["ridge_test_rmse"] < 0.01
    assert time.perf_counter() - started < 20


@pytest.mark.parametrize(
    ("metrics", "text"),
    [
        (
            {"test_rmse": 61.24, "ridge_test_rmse": 54.31, "mean_test_rmse": 77.0},
            "worse than ridge regression on the test rows (rmse 61.2 against 54.3)",
        ),
        (
            {"test_rmse": 80.0, "ridge_test_rmse": 99.0, "mean_test_rmse": 77.0},
            "worse than the mean of the training rows on the test rows (rmse 80 against 77)",
        ),
        (
            {"test_rmse": 1.0000002, "ridge_test_rmse": 1.0000001},
            "worse than ridge regression on the test rows (rmse 1.0000002 against 1.0000001)",
        ),
        (
            {"test_log_loss": 0.5, "logistic_test_log_loss": 0.25, "majority_test_log_loss": 0.4},
            "worse than logistic regression on the test rows (log loss 0.5 against 0.25)",
        ),
        ({"test_rmse": 54.0, "ridge_test_rmse": 54.0, "mean_test_rmse": 77.0}, ""),
        ({"test_rmse": 0.1}, ""),  # drawn points have no baselines
        ({"loss": 0.1}, ""),
        ({"test_accuracy": 0.1, "logistic_test_accuracy": 0.9}, ""),  # by log loss alone
    ],
)
def test_a_network_that_is_worse_is_called_so(metrics: dict[str, float], text: str) -> None:
    assert why_worse(metrics) == text
