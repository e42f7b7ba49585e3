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
from fitreel.comparison.compared import ComparedRun, first_with_points
from fitreel.comparison.groups import Group
from fitreel.comparison.runs import Comparison
from fitreel.data.dataset import Dataset
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
# Of all films together, whose steps may all differ, and of each.
MOST_FILM_LOSSES, LEAST_LOSSES = 6000, 100
MOST_FRAMES = 400
MOST_BYTES = 7_000_000  # of all runs' weights together
LABEL = 200  # letters of a param or a name, at most


def write_comparison(comparison: Comparison, path: Path | str) -> None:
    """Write compare.html: fits and losses of all runs in step, and the sortable results."""
    runs = comparison.runs
    firsts = first_with_points(runs)
    places = {first: place for place, first in enumerate(dict.fromkeys(firsts))}
    drawn = drawn_losses(runs)
    texts = [packed(run.steps[mine], np.float64) for run, mine in zip(runs, drawn, strict=True)]
    axes = {text: place for place, text in enumerate(dict.fromkeys(texts))}  # most runs share one
    # Drawn only if it is the same for all runs.
    floors = {known_floor(_noise_floor(run)) for run in runs if not run.is_film} - {None}
    data = {
        "metric": comparison.metric,
        "is_higher_better": higher_is_better(comparison.metric),
        "datasets": [
            points_data(_shown(runs, firsts, first), MOST_SHOWN_POINTS) for first in places
        ],
        "runs": [
            _run(run, label, places[first], mine, axes[text], MOST_BYTES // len(runs))
            | {"caption": caption}
            for run, label, caption, first, mine, text in zip(
                runs, comparison.labels, run_captions(comparison), firsts, drawn, texts, strict=True
            )
        ],
        "steps": list(axes),
        "align": comparison.align,
        "step_name": comparison.step_name,
        "noise_floor": floors.pop() if len(floors) == 1 else None,
        "differing": list(comparison.differing),
        "equal": {name: shortened(text, LABEL) for name, text in comparison.equal.items()},
        "metrics": list(comparison.metrics),
        "best": {name: sorted(best) for name, best in comparison.best.items()},
        "groups": [_group(group, drawn[group.runs[0]]) for group in comparison.groups],
        "colours": run_colours(comparison),
        "dark_colours": run_colours(comparison, dark=True),
    }
    title = f"{len(runs)} runs compared · fitreel"
    write_page(Path(path), title, "comparison.html", SCRIPTS, plain_texts(data))


def _shown(runs: Sequence[ComparedRun], firsts: Sequence[int], first: int) -> Dataset:
    """Return the points of a run as they are shown: with test points if any run has them, too."""
    alike = [run.dataset for run, other in zip(runs, firsts, strict=True) if other == first]
    return next((dataset for dataset in alike if dataset.test), alike[0])


def drawn_losses(runs: Sequence[ComparedRun]) -> list[NDArray[np.int64]]:
    """Return the places of the losses of each run that are drawn: evenly, with spikes and ends.

    Our own runs have them at common epochs, films at the steps that they have.
    """
    own = [run.losses for run in runs if not run.is_film]
    common = common_epochs(own) if own else np.zeros(0, np.int64)
    most = max(LEAST_LOSSES, MOST_FILM_LOSSES // max(1, len(runs) - len(own)))
    return [
        curve_places(run.losses, min(MOST_LOSSES, most))
        if run.is_film
        else common[common < len(run.losses)]
        for run in runs
    ]


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
    run: ComparedRun,
    label: str,
    dataset: int,
    drawn: NDArray[np.int64],
    steps: int,
    most_bytes: int,
) -> dict[str, Any]:
    losses = run.losses[drawn]
    return {
        "run_id": run.run_id,
        "label": shortened(label, LABEL),
        "params": {name: shortened(text, LABEL) for name, text in run.params.items()},
        "metrics": {name: _number(value) for name, value in run.metrics.items()},
        "dataset": dataset,
        "steps": steps,
        "losses": packed(_in_float32(np.where(np.isfinite(losses), losses, np.nan)), np.float32),
        "span": run.span,
        "step_name": run.step_name,
        **film_data(run, MOST_FRAMES, most_bytes),
    }


def _group(group: Group, drawn: NDArray[np.int64]) -> dict[str, Any]:
    curves = {"mean": group.losses, "low": group.low, "high": group.high}
    return {
        "runs": list(group.runs),
        "label": group.label,
        "metrics": {
            name: {"mean": each.mean, "half_width": each.half_width}
            for name, each in group.metrics.items()
        },
        **{name: packed(_in_float32(curve[drawn]), np.float32) for name, curve in curves.items()},
    }


def _in_float32(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers of which none becomes infinite in float32, as an interval or a loss may."""
    most = float(np.finfo(np.float32).max)
    return np.clip(numbers, -most, most)


def _number(value: float) -> float | str:
    """Return a number that JSON allows; others as text."""
    return value if math.isfinite(value) else str(value)
