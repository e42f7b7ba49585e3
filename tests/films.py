"""Films of models that are not ours, as they are compared: a boosted tree, and made-up ones."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingRegressor

from fitreel.comparison.compared import FilmedRun
from fitreel.data.dataset import Dataset
from fitreel.data.drawing import generate
from fitreel.reel.reel import LOSS, Reel

POINTS = generate()


def filmed(
    place: int = 0,
    *,
    name: str = "film",
    dataset: Dataset = POINTS,
    steps: Sequence[int] = range(60),
    losses: Sequence[float] | None = None,
    params: Mapping[str, str] = {},
    metrics: Mapping[str, float] = {},
) -> FilmedRun:
    """Film a model whose line falls from 1 to 0 in these steps, with a frame of each."""
    reel = Reel(dataset.x, dataset.y, every=1)
    for number, step in enumerate(steps):
        height = 1 - number / max(1, len(steps) - 1)
        loss = height if losses is None else losses[number]
        reel.frame(step, loss, partial(level, height))
    found = {LOSS: reel.losses[-1].item()} | dict(metrics)
    return FilmedRun(f"f{place:07x}" + "0" * 24, name, params, found, dataset, reel)


def level(height: float, x: NDArray[Any]) -> NDArray[Any]:
    """Predict the same height everywhere."""
    return np.full(len(x), height)


def boosted(stages: int = 40, dataset: Dataset = POINTS) -> FilmedRun:
    """Boost a tree by scikit-learn, and film it by stage."""
    reel = Reel(dataset.x, dataset.y, every=1)
    for stage, loss, predict in stages_of(dataset.inputs.numpy(), dataset.y.numpy(), stages):
        reel.frame(stage, loss, predict)
    params = {"model": "boosted tree", "learning_rate": "0.1"}
    metrics = {LOSS: reel.losses[-1].item()}
    return FilmedRun("b" * 32, "boosted tree", params, metrics, dataset, reel)


def stages_of(x: NDArray[Any], y: NDArray[Any], stages: int = 40) -> list[tuple[int, float, Any]]:
    """Boost a tree; return the number, the loss and the prediction of each stage."""
    tree = GradientBoostingRegressor(n_estimators=stages, random_state=0).fit(x, y)
    losses = [float(((y - fit) ** 2).mean()) for fit in tree.staged_predict(x)]
    return [(stage, loss, partial(staged, tree, stage)) for stage, loss in enumerate(losses, 1)]


def staged(tree: GradientBoostingRegressor, stage: int, x: NDArray[Any]) -> NDArray[Any]:
    """Predict with the first stages of a tree, from inputs of any shape."""
    found = tree.staged_predict(x.reshape(len(x), -1))
    predictions: NDArray[Any] = next(islice(found, stage - 1, None))
    return predictions
