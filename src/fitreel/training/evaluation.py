"""The evaluation: how well a network fits the points it saw, and points it never saw."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from fitreel.data.dataset import Dataset, Rows
from fitreel.data.drawing import generate_unseen
from fitreel.settings import DataSettings, EvaluationSettings, shows_keywords, with_keywords
from fitreel.settings.metrics import (
    DEAD_NEURONS,
    TEST_R2,
    TEST_RMSE,
    TRAIN_ACCURACY,
    TRAIN_LOG_LOSS,
    TRAIN_RMSE,
    VALIDATION_ERROR,
)
from fitreel.training.members import Trained
from fitreel.training.network import Network
from fitreel.training.scores import (
    log_probabilities,
    mean_log_loss,
    network_error,
    network_scores,
    root_error,
)
from fitreel.training.weights import Weights


class Metrics(dict[str, float]):
    """The metrics of a network by their names; they print with four digits."""

    def __repr__(self) -> str:
        return f"Metrics({', '.join(f'{name} {value:.4g}' for name, value in self.items())})"


@shows_keywords(EvaluationSettings)
def evaluate(
    weights: Weights | Network,
    dataset: Dataset,
    data: DataSettings | None = None,
    settings: EvaluationSettings = EvaluationSettings(),
    **keywords: Any,
) -> dict[str, float]:
    """Compute ``train_rmse``, the root of the mean squared error, and ``dead_neurons``.

    If ``data`` or the dataset says how the points were drawn, add ``test_rmse`` and ``test_r2`` on
    ``settings.test_samples`` fresh ones; if it has test rows, these two, ``test_mae`` and
    ``test_mse`` on them. For classes log loss and accuracy take the place of the error, on test
    rows also macro F1, and ROC AUC of two classes. Keywords replace single settings; defaults are
    those of EvaluationSettings. Raises TypeError for an unknown name.
    """
    settings = with_keywords(EvaluationSettings, settings, keywords, "evaluate")
    model = weights.weights() if isinstance(weights, Network) else weights
    return Metrics(next(evaluate_many([model], dataset, data or dataset.drawn, settings)))


def evaluate_many(
    networks: Iterable[Weights],
    dataset: Dataset,
    data: DataSettings | None = None,
    settings: EvaluationSettings = EvaluationSettings(),
) -> Iterator[dict[str, float]]:
    """Yield the metrics of one network after the other, all on the same test rows or points."""
    unseen = generate_unseen(data, settings.test_samples) if data and not dataset.test else None
    for weights in networks:
        metrics = _on_training_rows(weights, dataset)
        metrics[DEAD_NEURONS] = float(weights.dead(dataset.x).sum())
        if dataset.validation:
            metrics[VALIDATION_ERROR] = network_error(weights, dataset.validation)
        if dataset.test:
            metrics |= network_scores(weights, dataset.test)
        elif unseen is not None:
            metrics[TEST_RMSE] = root_error(weights, unseen)
            metrics[TEST_R2] = explained(metrics[TEST_RMSE], unseen)
        yield metrics


def _on_training_rows(weights: Weights, dataset: Dataset) -> dict[str, float]:
    if not weights.is_classifier:
        return {TRAIN_RMSE: root_error(weights, dataset)}
    found, truth = log_probabilities(weights, dataset.inputs), dataset.y.numpy()
    return {
        TRAIN_LOG_LOSS: mean_log_loss(found, truth),
        TRAIN_ACCURACY: float((found.argmax(axis=1) == truth).mean()),
    }


def fold_errors(
    dataset: Dataset, trained: Sequence[Trained], kept: Sequence[Tensor]
) -> dict[str, float]:
    """Return the mean error over the rows that each fold holds out; none if a fold diverged."""
    if any(each.weights is None for each in trained):
        return {}
    errors = [
        network_error(each.weights, Rows(dataset.inputs[~mask], dataset.y[~mask]))
        for each, mask in zip(trained, kept, strict=True)
        if each.weights is not None
    ]
    return {VALIDATION_ERROR: math.fsum(errors) / len(errors)}


def explained(root_error: float, dataset: Dataset | Rows) -> float:
    """Return r², the share of the variance of y that a model with this error explains.

    It is 0 for the mean of y, below 0 for what is worse, NaN if all y are equal.
    """
    variance = dataset.y.to(torch.float64).var(correction=0).item()
    return 1 - root_error**2 / variance if variance else math.nan
