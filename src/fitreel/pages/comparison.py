"""The page of a comparison: runs next to each other and in step, compare.html."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fitreel.checks.text import shortened
from fitreel.comparison.captions import run_captions
from fitreel.comparison.colours import run_colours
from fitreel.comparison.runs import (
    ComparedRun,
    Comparison,
    Group,
    first_with_points,
)
from fitreel.pages.data import known_floor, plain_texts
from fitreel.pages.films import film_data, points_data
from fitreel.pages.page import packed, write_page
from fitreel.reel.thinning import curve_places, thinned
from fitreel.settings import DataSettings, parse
from fitreel.settings.metrics import higher_is_better

SCRIPTS = (
    *("network.js", "charts.js", "transport.js", "reel.js", "raster.js", "views.js"),
    "comparison.js",
)
MOST_SHOWN_POINTS = 500
MOST_LOSSES = 1000
MOST_FRAMES = 400
MOST_BYTES = 7_000_000  # of all runs' weights together
LABEL = 200  # letters of a param or a name, at most


def write_comparison(comparison: Comparison, path: Path | str) -> None:
    """Write compare.html: fits and losses of all runs in step, and the sortable results."""
    runs = comparison.runs
    firsts = first_with_points(runs)
    places = {first: place for place, first in enumerate(dict.fromkeys(firsts))}
    epochs = common_epochs([run.history.losses for run in runs])
    # Drawn only if it is the same for all runs.
    floors = {known_floor(_noise_floor(run)) for run in runs} - {None}
    data = {
        "metric": comparison.metric,
        "is_higher_better": higher_is_better(comparison.metric),
        "datasets": [points_data(runs[first].dataset, MOST_SHOWN_POINTS) for first in places],
        "runs": [
            _run(run, label, places[first], epochs, MOST_BYTES // len(runs)) | {"caption": caption}
            for run, label, caption, first in zip(
                runs, comparison.labels, run_captions(comparison), firsts, strict=True
            )
        ],
        "epochs": packed(epochs, np.int32),
        "noise_floor": floors.pop() if len(floors) == 1 else None,
        "differing": list(comparison.differing),
        "equal": {name: shortened(text, LABEL) for name, text in comparison.equal.items()},
        "metrics": list(comparison.metrics),
        "best": {name: sorted(best) for name, best in comparison.best.items()},
        "groups": [_group(group, epochs) for group in comparison.groups],
        "colours": run_colours(comparison),
        "dark_colours": run_colours(comparison, dark=True),
    }
    title = f"{len(runs)} runs compared · fitreel"
    write_page(Path(path), title, "comparison.html", SCRIPTS, plain_texts(data))


def common_epochs(curves: Sequence[NDArray[np.float64]]) -> NDArray[np.int64]:
    """Return the epochs at which losses are compared: evenly, with each run's spikes and ends."""
    even = thinned(max(map(len, curves)), MOST_LOSSES)
    # Two stretches at least, each with its lowest and its highest loss.
    share = max(4, MOST_LOSSES // len(curves))
    chosen = [curve_places(losses, share) for losses in curves if len(losses) > MOST_LOSSES]
    ends = [len(losses) - 1 for losses in curves]
    return np.unique(np.concatenate([even, *chosen, ends]))


def _noise_floor(run: ComparedRun) -> float | None:
    """Return the least loss that any model can reach, if the params say how points were drawn."""
    try:
        noise = parse(run.params["noise"], float)
        return DataSettings(noise=noise).noise_floor ** 2
    except (KeyError, ValueError):  # anybody may have logged the param
        return None


def _run(
    run: ComparedRun, label: str, dataset: int, epochs: NDArray[np.int64], most_bytes: int
) -> dict[str, Any]:
    mine = epochs[epochs < len(run.history.losses)]
    return {
        "run_id": run.run_id,
        "label": shortened(label, LABEL),
        "params": {name: shortened(text, LABEL) for name, text in run.params.items()},
        "metrics": {name: _number(value) for name, value in run.metrics.items()},
        "dataset": dataset,
        **film_data(run, mine, MOST_FRAMES, most_bytes),
    }


def _group(group: Group, epochs: NDArray[np.int64]) -> dict[str, Any]:
    mine = epochs[epochs < len(group.losses)]
    curves = {"mean": group.losses, "low": group.low, "high": group.high}
    return {
        "runs": list(group.runs),
        "label": group.label,
        "metrics": {
            name: {"mean": each.mean, "half_width": each.half_width}
            for name, each in group.metrics.items()
        },
        **{
            # An interval of losses near the largest number would become infinite in float32.
            name: packed(np.minimum(curve[mine], np.finfo(np.float32).max), np.float32)
            for name, curve in curves.items()
        },
    }


def _number(value: float) -> float | str:
    """Return a number that JSON allows; others as text."""
    return value if math.isfinite(value) else str(value)
