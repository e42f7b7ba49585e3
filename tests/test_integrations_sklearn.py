"""scikit-learn: estimators are fitted as they would be, and filmed step by step."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, SGDClassifier
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fitreel.integrations.sklearn import film
from tests.filmed import Film, films, only_film, type_example

X = np.linspace(-1, 1, 40)[:, None]
Y = X[:, 0] ** 2 + 0.1 * np.sin(40 * X[:, 0])
MOONS, SIDES = make_moons(60, noise=0.2, random_state=0)
TABLE = pd.DataFrame(MOONS, columns=["width", "height"])
NAMES = pd.Series(np.array(["lower", "upper"])[SIDES], name="side")


def recorded(found: Film, step: int) -> Any:
    recording = found.reel().recording()
    return recording.predictions[recording.epochs.tolist().index(step)]


BOOSTING = [
    (GradientBoostingRegressor(n_estimators=12, subsample=0.5, random_state=3), X, Y),
    (HistGradientBoostingRegressor(max_iter=12), X, Y),
    (AdaBoostRegressor(n_estimators=6, random_state=3), X, Y),
    (GradientBoostingClassifier(n_estimators=12, random_state=3), MOONS, SIDES),
    (HistGradientBoostingClassifier(max_iter=12), TABLE, NAMES),
]


@pytest.mark.parametrize(("estimator", "x", "y"), BOOSTING, ids=lambda each: type(each).__name__)
def test_boosting_is_fitted_as_by_fit_and_filmed_by_stage(
    film_store: MlflowClient, estimator: Any, x: Any, y: Any
) -> None:
    plain = clone(estimator).fit(x, y)
    params = estimator.get_params()
    assert film(estimator, x, y, every=5) is estimator
    assert estimator.get_params() == params
    found = only_film(film_store)
    assert found.status == "FINISHED"
    stages = list(
        (plain.staged_predict_proba if NAMES is y or SIDES is y else plain.staged_predict)(x)
    )
    expected = [
        log_loss(y, stage) if stage.ndim == 2 else mean_squared_error(y, stage) for stage in stages
    ]
    assert found.steps("loss") == list(range(1, len(stages) + 1))
    assert [loss for _, loss in found.points("loss")] == pytest.approx(expected)
    assert found.frames == sorted({*range(1, len(stages) + 1, 5), len(stages)})
    probes = found.reel().probes.inputs.numpy().astype(np.float64)
    inputs = pd.DataFrame(probes, columns=x.columns) if x is TABLE else probes
    predict = plain.predict_proba if stages[0].ndim == 2 else plain.predict
    assert recorded(found, len(stages)) == pytest.approx(predict(inputs), abs=1e-6)


def test_trees_of_a_forest_are_those_of_fit(film_store: MlflowClient) -> None:
    forest = RandomForestClassifier(30, random_state=5, oob_score=True)
    plain = clone(forest).fit(TABLE, NAMES)
    film(forest, TABLE, NAMES, every=10)
    assert not forest.warm_start
    assert forest.n_estimators == 30
    assert forest.predict_proba(TABLE).tolist() == plain.predict_proba(TABLE).tolist()
    found = only_film(film_store)
    assert found.frames == [1, 11, 21, 30]
    reel = found.reel()
    assert reel.dataset.features == ("width", "height")
    assert reel.dataset.classes == ("lower", "upper")
    assert reel.dataset.target == "side"


def test_a_forest_that_starts_warm_grows_further(film_store: MlflowClient) -> None:
    forest = BaggingRegressor(n_estimators=2, warm_start=True, random_state=0).fit(X, Y)
    film(forest.set_params(n_estimators=5), X, Y, every=1)
    assert len(forest.estimators_) == 5
    assert only_film(film_store).steps("loss") == [1, 2, 3]


def test_passes_over_the_rows(film_store: MlflowClient) -> None:
    network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=7, random_state=0)
    plain = clone(network)
    losses = []
    for _ in range(7):
        plain.partial_fit(X, Y)
        losses.append(mean_squared_error(Y, plain.predict(X)))
    film(network, X, Y, every=2, name="network", alpha=0.1)
    assert network.predict(X).tolist() == plain.predict(X).tolist()
    film(SGDClassifier(loss="log_loss", random_state=0), TABLE, NAMES, steps=4, every=1)
    first, second = films(film_store)
    assert [loss for _, loss in first.points("loss")] == pytest.approx(losses)
    assert (first.run.info.run_name, first.run.data.params) == ("network", {"alpha": "0.1"})
    assert first.frames == [1, 3, 5, 7]
    assert second.frames == [1, 2, 3, 4]


def test_iterations_until_it_has_converged(film_store: MlflowClient) -> None:
    lasso = Lasso(alpha=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        film(lasso, MOONS, SIDES.astype(float))
    assert (lasso.max_iter, lasso.warm_start) == (1000, False)
    plain = Lasso(alpha=0.01).fit(MOONS, SIDES)
    assert lasso.coef_ == pytest.approx(plain.coef_, abs=1e-3)
    film(LogisticRegression(), MOONS, SIDES, steps=3, every=1)
    first, second = films(film_store)
    assert 1 < len(first.steps("loss")) < 100
    assert second.steps("loss") == [1, 2, 3]


def test_no_random_number_is_drawn(film_store: MlflowClient) -> None:
    found = []
    for fit in (lambda each: film(each, X, Y, every=1), lambda each: each.fit(X, Y)):
        np.random.seed(4)
        fit(GradientBoostingRegressor(n_estimators=5, subsample=0.5))
        found.append(np.random.random())
    assert found[0] == found[1]
    assert only_film(film_store).status == "FINISHED"


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (LinearRegression(), "LinearRegression learns in one step"),
        (LogisticRegression(solver="liblinear"), "LogisticRegression learns in one step"),
        (make_pipeline(StandardScaler(), Lasso()), "Pipeline learns in one step"),
        (SGDClassifier(), "SGDClassifier has no predict_proba"),
    ],
)
def test_what_cannot_be_filmed_is_refused_before_a_run(
    film_store: MlflowClient, estimator: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        film(estimator, MOONS, SIDES)
    assert not films(film_store)


def test_steps_are_not_those_of_a_forest() -> None:
    with pytest.raises(ValueError, match="leave steps out"):
        film(RandomForestClassifier(), MOONS, SIDES, steps=3)


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_a_training_that_is_broken_off(
    film_store: MlflowClient, error: type[BaseException], status: str
) -> None:
    class Breaking(MLPRegressor):  # type: ignore[misc]
        def partial_fit(self, x: Any, y: Any) -> Any:
            if getattr(self, "t_", 0) >= 3 * len(x):
                raise error("broken")
            return super().partial_fit(x, y)

    with pytest.raises(error, match="broken"):
        film(Breaking(hidden_layer_sizes=(4,)), X, Y, every=1)
    found = only_film(film_store)
    assert (found.status, found.frames) == (status, [1, 2, 3])


def test_the_example_of_the_page(film_store: MlflowClient) -> None:
    names = type_example("scikit-learn")
    assert names["model"].score(names["x"], names["y"]) > 0.95
    found = only_film(film_store)
    assert found.frames[-1] == 60
    assert found.reel().dataset.classes == ("upper", "lower")
