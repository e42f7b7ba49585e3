"""The rows of a view: the training rows and the test rows that it shows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fitreel.reel.recording import Recording

CIRCLE, DIAMOND = "o", "D"  # of training rows, of test rows
SIZE = 34  # square points


@dataclass(frozen=True, eq=False)
class ShownRows:
    """Some rows of one part, in raw units, and the shape of their marks."""

    inputs: NDArray[Any]  # (rows, features)
    targets: NDArray[Any]  # (rows,): numbers, or places of classes
    shape: str


def shown_rows(reel: Recording) -> list[ShownRows]:
    """Return the training rows of a reel's probes, and the test rows if there are any."""
    dataset, probes = reel.dataset, reel.probes
    training = torch.from_numpy(probes.training)
    inputs, targets = dataset.inputs[training].numpy(), dataset.y[training].numpy()
    parts = [ShownRows(inputs, targets, CIRCLE)]
    if dataset.test:
        test = torch.from_numpy(probes.test)
        inputs, targets = dataset.test.inputs[test].numpy(), dataset.test.y[test].numpy()
        parts.append(ShownRows(inputs, targets, DIAMOND))
    return parts


def draw_rows(
    axes: Axes, reel: Recording, scale: float, colours: Callable[[NDArray[Any]], list[str]]
) -> None:
    """Draw rows over two features; ``colours`` returns those of some targets."""
    for part in shown_rows(reel):
        axes.scatter(
            part.inputs[:, 0],
            part.inputs[:, 1],
            s=SIZE * scale**2,
            c=colours(part.targets),
            marker=part.shape,
            edgecolors="white",
            linewidths=0.8 * scale,
        )
