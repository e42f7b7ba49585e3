import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from fitreel.dataset import Dataset, generate_unseen
from fitreel.evaluation import evaluate
from fitreel.network import Weights
from fitreel.settings import DataSettings, EvaluationSettings
from fitreel.training import Fit


def test_the_metrics_are_those_of_scikit_learn(dataset: Dataset, trained: Fit) -> None:
    weights = trained.network.weights()
    metrics = evaluate(weights, dataset, DataSettings(), EvaluationSettings(test_samples=500))
    unseen = generate_unseen(DataSettings(), 500)
    for prefix, points in (("train", dataset), ("test", unseen)):
        truth = points.y.numpy().astype(np.float64)
        prediction = weights.predict(points.x).numpy().astype(np.float64)
        mse = mean_squared_error(truth, prediction)
        assert metrics[f"{prefix}_mse"] == pytest.approx(mse)
        assert metrics[f"{prefix}_rmse"] == pytest.approx(mse**0.5)
        assert metrics[f"{prefix}_mae"] == pytest.approx(mean_absolute_error(truth, prediction))
        assert metrics[f"{prefix}_r2"] == pytest.approx(r2_score(truth, prediction), rel=1e-5)
    assert metrics["noise_floor"] == pytest.approx(0.00333, abs=1e-5)
    assert metrics["excess_mse"] == metrics["test_mse"] - metrics["noise_floor"]


def test_no_model_gets_below_the_noise_floor() -> None:
    # The best that can be known of 1 + noise is its mean.
    data = DataSettings(function="step", x_min=1.0, x_max=2.0)
    zero = torch.zeros(1)
    best = Weights(zero, zero, zero, torch.tensor(1.1), "relu")
    metrics = evaluate(best, generate_unseen(data, 10), data, EvaluationSettings(1_000_000))
    assert metrics["excess_mse"] == pytest.approx(0, abs=1e-5)


def test_points_of_unknown_origin_are_measured_on_themselves(
    dataset: Dataset, trained: Fit
) -> None:
    metrics = evaluate(trained.network.weights(), dataset)
    assert set(metrics) == {"train_mse", "train_rmse", "train_mae", "train_r2"}
