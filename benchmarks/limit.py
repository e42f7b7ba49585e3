"""The limit: limit.c, compiled, training the networks of a stack."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.processes import process
from fitreel import Dataset, TrainingSettings, fit
from fitreel.training.network import Network

SOURCE = Path(__file__).with_suffix(".c")
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O3", "-march=native", "-ffast-math", "-pthread")
TOLERANCE = 1e-4  # between losses in single precision, at moderate rates


class NoCompilerError(Exception):
    """A row cannot be measured because a compiler is missing."""


class Limit:
    """The compiled program and its input: networks of 20 relu neurons, trained with sgd."""

    def __init__(
        self, dataset: Dataset, settings: Sequence[TrainingSettings], directory: Path
    ) -> None:
        """Compile the program; raise NoCompilerError if a compiler is missing."""
        compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
        if not compiler:
            raise NoCompilerError(f"none of {', '.join(COMPILERS)} is installed")
        self._dataset, self._settings, self._directory = dataset, settings, directory
        process([compiler, *FLAGS, "-o", "limit", str(SOURCE)], directory)
        sizes = np.array([len(settings), settings[0].epochs, len(dataset.x)], dtype=np.int32)
        numbers = [dataset.x.numpy(), dataset.y.numpy(), *map(_numbers, settings)]
        path = directory / "settings"
        path.write_bytes(sizes.tobytes() + np.concatenate(numbers, dtype=np.float32).tobytes())

    def seconds(self) -> float:
        """Train, and return the seconds that the training alone took."""
        return float(process(["./limit", "settings", "losses"], self._directory))

    def check(self, places: Iterable[int]) -> None:
        """Raise ArithmeticError if the program's losses for these differ from those of ``fit``."""
        self.seconds()
        losses = np.fromfile(self._directory / "losses", dtype=np.float32)
        losses = losses.reshape(len(self._settings), -1)
        for place in places:
            expected = fit(self._dataset, self._settings[place]).history.losses
            difference = np.abs(losses[place] - expected).max()
            if not difference <= TOLERANCE:
                raise ArithmeticError(f"the losses of training {place} differ by {difference:.2g}")


def _numbers(settings: TrainingSettings) -> np.ndarray:
    return np.concatenate([[settings.lr], Network(settings).weights().flat().numpy()])
