"""The scores: how far predictions are from the truth, in numbers that a run keeps as metrics."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fitreel.data.dataset import Dataset, Rows
from fitreel.settings.metrics import (
    TEST_ACCURACY,
    TEST_F1,
    TEST_LOG_LOSS,
    TEST_MAE,
    TEST_MSE,
    TEST_R2,
    TEST_RMSE,
    TEST_ROC_AUC,
)
from fitreel.training.weights import Weights

Numbers = NDArray[np.float64]


def number_scores(predictions: Numbers, rows: Rows) -> dict[str, float]:
    """Return the test metrics of predicted numbers, (rows,), in raw units.

    ``test_r2`` is missing if all targets are equal.
    """
    truth = rows.y.double().numpy()
    errors = predictions - truth
    mse, variance = float(np.square(errors).mean()), float(truth.var())
    scores = {TEST_RMSE: mse**0.5, TEST_MAE: float(np.abs(errors).mean()), TEST_MSE: mse}
    return scores | ({TEST_R2: 1 - mse / variance} if variance else {})


def class_scores(log_probabilities: Numbers, rows: Rows) -> dict[str, float]:
    """Return the test metrics of predicted classes, from (rows, classes).

    ``test_roc_auc`` is there for two classes that both have rows.
    """
    from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

    truth = rows.y.numpy()
    chosen = log_probabilities.argmax(axis=1)
    scores = {
        TEST_LOG_LOSS: mean_log_loss(log_probabilities, truth),
        TEST_ACCURACY: float(accuracy_score(truth, chosen)),
        TEST_F1: float(f1_score(truth, chosen, average="macro")),
    }
    if log_probabilities.shape[1] == 2 and len(np.unique(truth)) == 2:
        # By the difference: probabilities near 1 are equal where their logarithms are not.
        odds = log_probabilities[:, 1] - log_probabilities[:, 0]
        scores[TEST_ROC_AUC] = float(roc_auc_score(truth, odds))
    return scores


def mean_log_loss(log_probabilities: Numbers, truth: NDArray[np.int64]) -> float:
    """Return the mean of −log of the probability of the true class, from (rows, classes)."""
    return float(-np.take_along_axis(log_probabilities, truth[:, None], axis=1).mean())


def log_probabilities(weights: Weights, inputs: Tensor) -> Numbers:
    """Return the logarithms of the predicted probabilities: (rows, classes)."""
    # Not log(softmax): that of a class that is ruled out would be infinite.
    return weights.outputs(inputs).double().log_softmax(dim=-1).numpy()


def network_scores(weights: Weights, rows: Rows | Dataset) -> dict[str, float]:
    """Return the test metrics of a network on some rows."""
    held_out = Rows(rows.inputs, rows.y)
    if weights.is_classifier:
        return class_scores(log_probabilities(weights, rows.inputs), held_out)
    return number_scores(weights.predict(rows.inputs).double().numpy(), held_out)


def network_error(weights: Weights, rows: Rows | Dataset) -> float:
    """Return the error by which networks are ranked: log loss for classes, else the root error."""
    if weights.is_classifier:
        return mean_log_loss(log_probabilities(weights, rows.inputs), rows.y.numpy())
    return root_error(weights, rows)


def root_error(weights: Weights, dataset: Dataset | Rows) -> float:
    """Return the root of the mean squared error on some rows, in the unit of y."""
    # One feature as (rows,), which any function of x takes.
    inputs = dataset.x if isinstance(dataset, Dataset) else dataset.inputs
    # In float64: a float32 sum over a million points loses digits.
    error = (weights.predict(inputs) - dataset.y).to(torch.float64)
    return float(error.square().mean().item() ** 0.5)


def outputs_error(weights: Weights, outputs: Tensor, rows: Rows | Dataset) -> float:
    """Return this error for what the output layer computed: (rows, outputs)."""
    if weights.is_classifier:
        return mean_log_loss(outputs.double().log_softmax(dim=-1).numpy(), rows.y.numpy())
    predictions = outputs[:, 0]
    raw = weights.scaling.raw_targets(predictions) if weights.scaling else predictions
    return float((raw - rows.y).double().square().mean().sqrt())
