"""The evaluation: how well a network fits the points it saw, and points it never saw."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from fitreel.data.dataset import Dataset
from fitreel.data.drawing import generate_unseen
from fitreel.settings import DataSettings, EvaluationSettings, shows_keywords, with_keywords
from fitreel.training.network import Network
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
    """Compute the metrics ``train_mse``, ``train_rmse``, ``train_mae`` and ``train_r2``.

    If ``data`` or the dataset says how the points were drawn, add the same with ``test_`` on
    ``settings.test_samples`` fresh ones, ``noise_floor`` (the variance of the noise, which is the
    mse of a perfect model) and ``excess_mse`` = test_mse - noise_floor. Keywords replace single
    settings; defaults are those of EvaluationSettings. Raises TypeError for an unknown name.
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
    """Yield the metrics of one network after the other, all on the same fresh points."""
    unseen = generate_unseen(data, settings.test_samples) if data else None
    for weights in networks:
        metrics = errors("train", weights, dataset)
        if data is not None and unseen is not None:
            metrics |= errors("test", weights, unseen)
            # Noise is uniform from 0 to its height: a perfect model predicts the middle, half the
            # height above the curve, and errs by the variance.
            metrics["noise_floor"] = data.noise**2 / 12  # the variance of a uniform distribution
            metrics["excess_mse"] = metrics["test_mse"] - metrics["noise_floor"]
        yield metrics


def errors(prefix: str, weights: Weights, dataset: Dataset) -> dict[str, float]:
    """Compute the metrics on some points: ``prefix_mse``, ``_rmse``, ``_mae`` and ``_r2``."""
    # In float64: a float32 sum over a million points loses digits.
    error = (weights.predict(dataset.x) - dataset.y).to(torch.float64)
    mse = error.square().mean().item()
    variance = dataset.y.to(torch.float64).var(correction=0).item()
    return {
        f"{prefix}_mse": mse,
        f"{prefix}_rmse": mse**0.5,
        f"{prefix}_mae": error.abs().mean().item(),
        f"{prefix}_r2": 1 - mse / variance if variance else float("nan"),
    }
