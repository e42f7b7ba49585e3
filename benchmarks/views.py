"""The films and players of tables, next to those of the curve: how long they take, how large.

python -m benchmarks.views
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from sklearn import datasets

from fitreel import Dataset, TrainingSettings, fit, generate, render, write_player
from fitreel.data.dataset import Rows
from fitreel.data.scaling import Scaling

SETTINGS = TrainingSettings(optimizer="adam", lr=0.01, epochs=995, hidden=50)  # 200 frames
TIMES = 3  # the best of so many


def with_test_rows(inputs: np.ndarray, targets: np.ndarray, classes: int = 0) -> Dataset:
    """Return a dataset with every fifth row held out, scaled by the others."""
    x = torch.from_numpy(inputs.astype(np.float32))
    y = torch.from_numpy(targets.astype(np.int64 if classes else np.float32))
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(x)))
    x, y = x[order], y[order]
    held_out = torch.arange(len(x)) % 5 == 4
    return Dataset(
        x[~held_out],
        y[~held_out],
        target="target",
        features=[f"feature {place}" for place in range(x.shape[1])],
        classes=[f"class {place}" for place in range(classes)],
        scaling=Scaling.of(x[~held_out], y[~held_out]),
        test=Rows(x[held_out], y[held_out]),
    )


def tables() -> dict[str, Dataset]:
    """Return a table for each view, and a large one for those of many rows."""
    diabetes, cancer = datasets.load_diabetes(scaled=False), datasets.load_breast_cancer()
    iris, moons = datasets.load_iris(), datasets.make_moons(1000, noise=0.2, random_state=0)
    many = datasets.make_regression(20_000, 8, noise=20, random_state=0)
    digits = datasets.load_digits()
    return {
        "drawn points": generate(),
        "1 feature": with_test_rows(diabetes.data[:, [2]], diabetes.target),
        "2 features": with_test_rows(diabetes.data[:, [2, 3]], diabetes.target),
        "2 features, 2 classes": with_test_rows(moons[0], moons[1], classes=2),
        "2 features, 3 classes": with_test_rows(iris.data[:, [0, 2]], iris.target, classes=3),
        "10 features": with_test_rows(diabetes.data, diabetes.target),
        "8 features, 20,000 rows": with_test_rows(many[0], many[1]),
        "30 features, 2 classes": with_test_rows(cancer.data, cancer.target, classes=2),
        "64 features, 10 classes": with_test_rows(digits.data, digits.target, classes=10),
    }


def fastest(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest of some times."""
    found = []
    for _ in range(TIMES):
        start = perf_counter()
        work()
        found.append(perf_counter() - start)
    return min(found)


def main() -> None:
    """Print a row for each table."""
    curve = None
    print(f"{'data':26}{'film':>8}{'times':>7}{'kB':>7}{'player':>8}{'kB':>7}")
    with TemporaryDirectory() as name:
        film, player = Path(name) / "rst.gif", Path(name) / "player.html"
        for kind, dataset in tables().items():
            history = fit(dataset, SETTINGS).history
            drawn = fastest(partial(render, dataset, history, film))
            written = fastest(partial(write_player, dataset, history, player))
            curve = curve or drawn
            sizes = [path.stat().st_size / 1000 for path in (film, player)]
            print(
                f"{kind:26}{drawn:7.2f}s{drawn / curve:7.1f}{sizes[0]:7.0f}"
                f"{written:7.2f}s{sizes[1]:7.0f}"
            )


if __name__ == "__main__":
    main()
