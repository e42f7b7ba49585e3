"""The coarse grid of a page: fewer places than a film has, so that more frames fit."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.pictures.views.raster import between
from fitreel.reel.probes import CLASSES_OF_GRID
from fitreel.reel.recording import Recording

GRID, GRID_OF_CLASSES = (60, 45), (48, 36)  # places across and up; more than two classes


def page_grid(dataset: Dataset) -> tuple[int, int]:
    """Return the grid of a page's probes, as ``probes_of`` takes it."""
    return GRID_OF_CLASSES if len(dataset.classes) > 2 else GRID


def on_page_grid(recording: Recording) -> Recording:
    """Return a recording whose grid is at most as fine as that of a page."""
    probes, (across, up) = recording.probes, page_grid(recording.dataset)
    if len(recording.dataset.classes) > CLASSES_OF_GRID:
        across, up = across // 2, up // 2
    if probes.grid is None or (probes.grid[0] <= across and probes.grid[1] <= up):
        return recording
    columns, rows = (
        between(np.linspace(0, 1, count), found)
        for count, found in zip((across, up), probes.grid, strict=True)
    )
    places = probes.places

    def coarser(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return numbers of all probes, (probes, numbers), with those of fewer places."""
        grid = numbers[:places].reshape(len(rows.T), len(columns.T), -1)
        # Between the places in straight lines, as every picture of a grid is drawn.
        space = np.einsum("ur,rcn,wc->uwn", rows, grid, columns, optimize=True)
        return np.concatenate([space.reshape(across * up, -1), numbers[places:]])

    inputs = torch.from_numpy(coarser(probes.inputs.numpy()))
    frames = [
        coarser(frame.reshape(len(frame), -1)).reshape(len(inputs), *frame.shape[1:])
        for frame in recording.predictions
    ]
    return replace(
        recording,
        probes=replace(probes, inputs=inputs, places=across * up, grid=(across, up)),
        predictions=np.stack(frames),
    )
