"""The baselines: simple models by scikit-learn that a network should be better than."""

import math
import warnings
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset, Rows
from fitreel.data.scaling import Scaling
from fitreel.settings.metrics import BASELINES, TEST_LOG_LOSS, TEST_RMSE
from fitreel.training.scores import Numbers, class_scores, number_scores

# The linear models are fitted to a random sample of a larger table: their coefficients hardly
# differ, and a million rows take seconds.
MOST_ROWS = 50_000
MOST_NUMBERS = 2**24  # rows × features × outputs, but for FEWEST_ROWS
FEWEST_ROWS = 2_000
PENALTIES = np.logspace(-3, 4, 15)  # ridge regression chooses one, leaving out one row at a time
MOST_STEPS = 200  # of logistic regression
LEAST = np.finfo(np.float64).eps  # the probability of a class that no training row has

Baseline = Callable[[Dataset, Rows], Numbers]  # predicts the test rows


def baseline_metrics(dataset: Dataset) -> dict[str, float]:
    """Return the test metrics of the baselines, as in ``ridge_test_rmse``; none without test rows.

    For numbers the mean and ridge regression, for classes their frequencies (``majority``) and
    logistic regression, fitted to the training rows alone.
    """
    test = dataset.test
    if test is None:
        return {}
    score = class_scores if dataset.classes else number_scores
    return {
        f"{name}_{metric}": value
        for name, baseline in (OF_CLASSES if dataset.classes else OF_NUMBERS).items()
        for metric, value in score(baseline(dataset, test), test).items()
    }


def why_worse(metrics: Mapping[str, float]) -> str:
    """Return than which baseline a network is worse, and by how much; "" if it is not.

    As in "worse than ridge regression on the test rows (rmse 61.2 against 54.3)".
    """
    metric = TEST_LOG_LOSS if TEST_LOG_LOSS in metrics else TEST_RMSE
    ours = metrics.get(metric, math.nan)
    values = {name: metrics.get(f"{name}_{metric}", math.nan) for name in BASELINES}
    better = {name: value for name, value in values.items() if value < ours}
    if not better:
        return ""
    best = min(better, key=lambda name: better[name])
    error = metric.removeprefix("test_").replace("_", " ")
    numbers = _distinguished(ours, better[best])
    return f"worse than {BASELINES[best]} on the test rows ({error} {numbers})"


def _distinguished(ours: float, theirs: float) -> str:
    """Return two different numbers with three digits, or as many as show the difference."""
    for digits in range(3, 18):
        texts = f"{ours:.{digits}g}", f"{theirs:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return " against ".join(texts)


def _mean(dataset: Dataset, test: Rows) -> Numbers:
    return np.full(len(test), dataset.y.double().mean().item())


def _ridge(dataset: Dataset, test: Rows) -> Numbers:
    from sklearn.linear_model import RidgeCV

    inputs, targets, held_out = _rows_to_fit(dataset, test)
    predictions: Numbers = RidgeCV(alphas=PENALTIES).fit(inputs, targets).predict(held_out)
    return predictions


def _majority(dataset: Dataset, test: Rows) -> Numbers:
    frequencies = class_frequencies(dataset)
    return np.tile(np.log(np.maximum(frequencies, LEAST)), (len(test), 1))


def class_frequencies(dataset: Dataset) -> Numbers:
    """Return how often each class is among the training rows: (classes,), in sum 1."""
    return np.bincount(dataset.y.numpy(), minlength=len(dataset.classes)) / len(dataset)


def _logistic(dataset: Dataset, test: Rows) -> Numbers:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    inputs, targets, held_out = _rows_to_fit(dataset, test)
    if len(np.unique(targets)) < 2:  # which scikit-learn refuses
        return _majority(dataset, test)
    model = LogisticRegression(max_iter=MOST_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the steps are bounded on purpose
        model.fit(inputs, targets)
    found = np.full((len(held_out), len(dataset.classes)), np.log(LEAST))
    found[:, model.classes_] = np.maximum(model.predict_log_proba(held_out), np.log(LEAST))
    return found


def _rows_to_fit(dataset: Dataset, test: Rows) -> tuple[Numbers, NDArray[np.generic], Numbers]:
    """Return inputs and targets of training rows, a sample of many, and inputs of the test rows."""
    per_row = len(dataset.features) * dataset.outputs
    most = max(FEWEST_ROWS, min(MOST_ROWS, MOST_NUMBERS // per_row))
    rows = np.arange(len(dataset))
    if len(rows) > most:
        rows = np.random.default_rng(0).choice(len(rows), most, replace=False)
    inputs, targets = dataset.inputs[rows], dataset.y[rows]
    scaling = dataset.scaling or Scaling.of(inputs, targets)
    return (
        scaling.inputs(inputs).double().numpy(),
        (targets if dataset.classes else targets.double()).numpy(),
        scaling.inputs(test.inputs).double().numpy(),
    )


OF_NUMBERS: dict[str, Baseline] = {"mean": _mean, "ridge": _ridge}
OF_CLASSES: dict[str, Baseline] = {"majority": _majority, "logistic": _logistic}
