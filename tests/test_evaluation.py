from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, get_args

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_squared_error, r2_score

from fitreel.data.dataset import Dataset
from fitreel.data.drawing import FUNCTIONS, generate, generate_unseen
from fitreel.settings import DataSettings, EvaluationSettings, FunctionName, TrainingSettings
from fitreel.training.evaluation import evaluate, explained
from fitreel.training.loop import Fit
from fitreel.training.many import fit_many
from fitreel.training.scores import root_error


def test_the_metrics_are_those_of_scikit_learn(dataset: Dataset, trained: Fit) -> None:
    weights = trained.network.weights()
    metrics = evaluate(weights, dataset, DataSettings(), EvaluationSettings(test_samples=500))
    unseen = generate_unseen(DataSettings(), 500)
    for prefix, points in (("train", dataset), ("test", unseen)):
        truth = points.y.numpy().astype(np.float64)
        prediction = weights.predict(points.x).numpy().astype(np.float64)
        mse = mean_squared_error(truth, prediction)
        assert metrics[f"{prefix}_rmse"] == pytest.approx(mse**0.5)
        r2 = explained(metrics[f"{prefix}_rmse"], points)
        assert r2 == pytest.approx(r2_score(truth, prediction), rel=1e-5)
    assert metrics["test_r2"] == r2
    assert metrics["dead_neurons"] == weights.dead(dataset.x).sum()
    assert set(metrics) == {"train_rmse", "test_rmse", "test_r2", "dead_neurons"}


class Curve(NamedTuple):
    """A model that computes a function: evaluate needs only predictions."""

    predict: Callable[[torch.Tensor], torch.Tensor]


def polynomial(dataset: Dataset, degree: int) -> Curve:
    """Fit a polynomial by least squares."""
    fitted = np.polynomial.Polynomial.fit(dataset.x.double(), dataset.y.double(), degree)
    return Curve(lambda x: torch.from_numpy(fitted(x.double().numpy())).float())


@pytest.mark.parametrize("function", get_args(FunctionName))
def test_no_model_is_below_the_noise_floor_and_its_distance_is_its_excess(
    function: FunctionName,
) -> None:
    """The excess is the mean squared distance from the curve plus the mean of the noise."""
    data = DataSettings(function=function, noise=0.3, samples=200)
    dataset, count = generate(data), 200_000
    middle = Curve(lambda x: FUNCTIONS[function](x) + 0.15)
    models: list[Any] = [middle, *(polynomial(dataset, degree) for degree in (0, 1, 3, 9))]
    floor = data.noise_floor**2
    assert floor == pytest.approx(0.3**2 / 12, rel=1e-12)
    for settings in (TrainingSettings(), TrainingSettings(optimizer="adam", activation="gelu")):
        short = replace(settings, epochs=200)
        models += [each.weights for each in fit_many(dataset, [settings, short])]
    unseen = generate_unseen(data, count)
    x, excess = unseen.x, []
    for model in models:
        excess.append(root_error(model, unseen) ** 2 - floor)
        missed = (model.predict(x) - middle.predict(x)).double().square().mean().item()
        # Four standard errors of the mean of this many points.
        chance = 4 * (0.9 * floor + 2 * (floor * missed) ** 0.5) / count**0.5
        assert excess[-1] == pytest.approx(missed, rel=1e-4, abs=chance)
        assert excess[-1] > -chance
    assert excess[0] == min(excess)


def test_points_of_unknown_origin_are_measured_on_themselves(
    dataset: Dataset, trained: Fit
) -> None:
    metrics = evaluate(trained.network.weights(), Dataset(dataset.x, dataset.y))
    assert set(metrics) == {"train_rmse", "dead_neurons"}


def test_drawn_points_and_a_network_are_enough_for_all_metrics(
    dataset: Dataset, trained: Fit
) -> None:
    network = trained.network
    short = evaluate(network, dataset, test_samples=50)
    assert short == evaluate(
        network.weights(), dataset, DataSettings(), EvaluationSettings(test_samples=50)
    )
    other = evaluate(network, dataset, DataSettings(noise=0.9), test_samples=50)
    assert other.keys() == short.keys()
    assert other != short
