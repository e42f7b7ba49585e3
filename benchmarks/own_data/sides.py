"""The sides: each trains on the rows of a split and predicts its test rows."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fitreel.data
import fitreel.sweep
from benchmarks.own_data.tables import TARGET
from fitreel.data.dataset import Dataset, Rows
from fitreel.settings import (
    EvaluationSettings,
    SweepSettings,
    TableSettings,
    TrainingSettings,
    for_table,
)
from fitreel.settings.metrics import ranking_metric
from fitreel.training.baselines import LEAST, PENALTIES
from fitreel.training.loop import fit
from fitreel.training.scores import class_scores, network_scores, number_scores

NEURONS = 50
TRIALS = 50
# What the 50 trials vary; all have 50 neurons, as scikit-learn's network has.
SPACE = "lr=log:1e-3:0.05 weight_decay=log:1e-4:0.03"
FOLDS = 5


class Outcome(NamedTuple):
    """How wrong the test rows are predicted, and how long the training took."""

    error: float  # root mean squared error, or log loss of classes
    seconds: float


def read_split(training: pd.DataFrame, test: pd.DataFrame, has_classes: bool) -> Dataset:
    """Return a split as `fitreel run` reads it from two files."""
    with TemporaryDirectory() as folder:
        files = Path(folder, "training.csv"), Path(folder, "test.csv")
        for rows, file in zip((training, test), files, strict=True):
            rows.to_csv(file, index=False)
        task = "classification" if has_classes else "regression"
        settings = TableSettings(data=str(files[0]), target=TARGET, test=str(files[1]), task=task)  # type: ignore[arg-type]
        return fitreel.data.read_table(files[0], settings, 0, files[1]).dataset


def defaults() -> TrainingSettings:
    """Return the settings of a training on a table with no option given."""
    return for_table(TrainingSettings(), TableSettings(data="table.csv", target=TARGET), ())


def ours(dataset: Dataset) -> Outcome:
    """Train our network with the defaults for tables."""
    started = time.perf_counter()
    network, _ = fit(dataset, defaults())
    seconds = time.perf_counter() - started
    return Outcome(_error(dataset, network_scores(network.weights(), _part(dataset.test))), seconds)


def tuned(dataset: Dataset) -> Outcome:
    """Train the trials of a sweep, and take the one with the least error over its folds."""
    settings = SweepSettings(trials=TRIALS, space=SPACE, metric="validation_error", cv=FOLDS)
    search = fitreel.sweep.Search(settings, dataset, None, defaults(), EvaluationSettings())
    started = time.perf_counter()
    study, engine = fitreel.sweep.open_study(settings), fitreel.sweep.open_engine(settings)
    finished = [each for found in search.run(study, engine, {}) for each in found]
    trials, outcomes = zip(*finished, strict=True)
    best, *_ = fitreel.sweep.Results(settings, trials, outcomes).best(1)
    seconds = time.perf_counter() - started
    weights = outcomes[best].weights.with_scaling(dataset.scaling)
    return Outcome(_error(dataset, network_scores(weights, _part(dataset.test))), seconds)


def their_network(dataset: Dataset) -> Outcome:
    """Train scikit-learn's network with its defaults, but for the neurons."""
    size = {"hidden_layer_sizes": (NEURONS,), "random_state": 0}
    if dataset.classes:
        return _theirs(dataset, MLPClassifier(**size))
    # The check is of rounding alone, and warns where targets are far from 0.
    model = TransformedTargetRegressor(
        MLPRegressor(**size), transformer=StandardScaler(), check_inverse=False
    )
    return _theirs(dataset, model)


def linear(dataset: Dataset) -> Outcome:
    """Train ridge regression, or logistic regression for classes."""
    if dataset.classes:
        return _theirs(dataset, LogisticRegression(max_iter=1000))
    return _theirs(dataset, RidgeCV(alphas=PENALTIES))


def _theirs(dataset: Dataset, estimator: Any) -> Outcome:
    """Fit a model to scaled features of all rows: theirs needs none to stop early by."""
    test, validation = _part(dataset.test), _part(dataset.validation)
    inputs = torch.cat([dataset.inputs, validation.inputs]).double().numpy()
    targets = torch.cat([dataset.y, validation.y]).numpy()
    model = make_pipeline(StandardScaler(), estimator)
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(inputs, targets)
    seconds = time.perf_counter() - started
    held_out = test.inputs.double().numpy()
    if not dataset.classes:
        return Outcome(_error(dataset, number_scores(model.predict(held_out), test)), seconds)
    chances: NDArray[np.float64] = np.log(np.maximum(model.predict_proba(held_out), LEAST))
    return Outcome(_error(dataset, class_scores(chances, test)), seconds)


def _part(rows: Rows | None) -> Rows:
    if rows is None:
        raise ValueError("a split has rows for the test and for early stopping")
    return rows


def _error(dataset: Dataset, scores: dict[str, float]) -> float:
    return scores[ranking_metric(bool(dataset.classes))]


SIDES: dict[str, Callable[[Dataset], Outcome]] = {
    "ours": ours,
    "tuned": tuned,
    "theirs": their_network,
    "linear": linear,
}
