"""Small tables of every kind, with test rows, and trainings on them."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from sklearn import datasets

from fitreel.comparison.compared import OwnRun
from fitreel.data.dataset import Dataset, Rows
from fitreel.data.scaling import Scaling
from fitreel.settings import TrainingSettings
from fitreel.training.history import History
from fitreel.training.loop import fit

KINDS = ("curve", "field", "regions", "agreement", "confidence")


def table(
    inputs: Any, targets: Any, features: Sequence[str], target: str, classes: Sequence[str] = ()
) -> Dataset:
    """Return a dataset with every fifth row held out, scaled by the others."""
    x = torch.from_numpy(np.asarray(inputs, np.float32))
    y = torch.from_numpy(np.asarray(targets, np.int64 if classes else np.float32))
    held_out = torch.arange(len(x)) % 5 == 4
    return Dataset(
        x[~held_out],
        y[~held_out],
        features=features,
        target=target,
        classes=classes,
        scaling=Scaling.of(x[~held_out], y[~held_out]),
        test=Rows(x[held_out], y[held_out]),
    )


@cache
def dataset_of(kind: str) -> Dataset:
    """Return a table whose predictions are shown in this way."""
    if kind == "regions":
        inputs, targets = datasets.make_moons(200, noise=0.15, random_state=0)
        return table(inputs, targets, ["east", "north"], "moon", ["upper", "lower"])
    if kind == "confidence":
        iris = datasets.load_iris()
        order = np.random.default_rng(0).permutation(150)
        names = [str(name) for name in iris.target_names]
        return table(iris.data[order], iris.target[order], iris.feature_names, "species", names)
    diabetes = datasets.load_diabetes(scaled=False)
    columns = {"curve": [2], "field": [2, 3], "agreement": list(range(10))}[kind]
    features = [diabetes.feature_names[place] for place in columns]
    return table(diabetes.data[:200, columns], diabetes.target[:200], features, "progression")


@cache
def history_of(kind: str, epochs: int = 60) -> History:
    """Train on such a table."""
    return fit(dataset_of(kind), TrainingSettings(optimizer="adam", lr=0.02, epochs=epochs)).history


def run_of(kind: str, place: int = 0) -> OwnRun:
    """Return such a training as it is compared."""
    run_id, loss = f"{place:08x}" + "0" * 24, history_of(kind).losses[-1]
    params, metrics = {"seed": str(place)}, {"test_rmse": float(loss)}
    return OwnRun(run_id, kind, params, metrics, dataset_of(kind), history_of(kind))
