"""The page of a sweep: all trials in a table and as lines, the best as films, sweep.html."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fitreel.checks.text import shown
from fitreel.comparison.compared import OwnRun
from fitreel.pages.data import plain_texts
from fitreel.pages.films import film_data, points_data
from fitreel.pages.page import packed, write_page
from fitreel.settings.metrics import LOSS, METRICS, higher_is_better
from fitreel.sweep.pictures.axes import dimension_scale
from fitreel.sweep.pictures.charts import Scores, scores
from fitreel.sweep.pictures.placing import jittered, places_of
from fitreel.sweep.pictures.scales import Scale
from fitreel.sweep.results import Results

SCRIPTS = (
    *("network.js", "charts.js", "transport.js", "reel.js", "raster.js", "views.js"),
    *("parallel.js", "sweep.js"),
)
MOST_TRIALS = 20_000  # with 60 bytes each
MOST_SHOWN_POINTS = 500
MOST_FRAMES = 200
MOST_BYTES = 3_000_000  # of all films' weights together
MOST_TICKS = 9
SPREAD = 0.3  # of the width of a choice, over which its lines are spread
ENDS = ("finished", "diverged", "pruned")


def write_sweep(
    results: Results, films: Sequence[OwnRun], path: Path | str, name: str = ""
) -> None:
    """Write sweep.html: filter, sort and brush all trials, and play those that have a film.

    The ``run_id`` of a film is the number of its trial. Of more than 20,000 trials every so many,
    by rank, are shown, the best always.
    """
    found = scores(results)
    numbers = chosen_trials(results)
    title = shown(name)
    metric = results.settings.metric
    data = {
        "name": title,
        "metric": metric,
        "is_higher_better": higher_is_better(metric),
        "summary": results.summary,
        "count": len(results.trials),
        "ends": ENDS,
        "axes": [*_setting_axes(results, numbers), _score_axis(results, found, numbers)],
        "trials": {
            "number": packed(numbers, np.int32),
            "end": packed([ENDS.index(results.outcomes[each].end) for each in numbers], np.int32),
            "shade": packed(_shades(found, numbers), np.float32),
        },
        "settings": {each: _column(results, each, numbers) for each in results.names},
        "metrics": {each: _metric(results, each, numbers) for each in _metrics(results)},
        "films": _films(films),
    }
    write_page(
        Path(path), f"{title or 'sweep'} · fitreel", "sweep.html", SCRIPTS, plain_texts(data)
    )


def chosen_trials(results: Results, most: int = MOST_TRIALS) -> NDArray[np.int64]:
    """Return the numbers of the trials to show, in order: all, or some, evenly by rank."""
    count = len(results.trials)
    if count <= most:
        return np.arange(count)
    ranked = results.best(count)
    others = sorted(set(range(count)).difference(ranked))
    order = np.array([*ranked, *others], np.int64)
    # The better half of those shown are the best.
    kept = np.concatenate(
        [np.arange(most // 2), np.linspace(most // 2, count - 1, most - most // 2).astype(np.int64)]
    )
    return np.sort(order[kept])


def _setting_axes(results: Results, numbers: NDArray[np.int64]) -> list[dict[str, Any]]:
    axes = []
    for dimension in results.settings.dimensions:
        scale = dimension_scale(dimension)
        places = places_of(scale, results, dimension.name, numbers)
        places = jittered(places, numbers, scale, SPREAD)
        axes.append(_axis(dimension.name, scale, places))
    return axes


def _score_axis(results: Results, found: Scores, numbers: NDArray[np.int64]) -> dict[str, Any]:
    values = np.array([results.score(number) for number in numbers], np.float64)
    # What is worse than the scale is at its end, what has no score nowhere.
    places = found.scale.places(values)
    places[~np.isfinite(values)] = math.nan
    return _axis(found.metric, found.scale, places)


def _axis(name: str, scale: Scale, places: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "name": name,
        "kind": scale.kind,
        "low": scale.low,
        "high": scale.high,
        "choices": [str(each) for each in scale.values],
        "ticks": [[float(place), text] for place, text in scale.ticks(MOST_TICKS)],
        "places": packed(places, np.float32),
    }


def _shades(found: Scores, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return 0 for the best to 1 for the worst score; NaN for a trial that is not on the scale."""
    shades = np.full(found.count, math.nan)
    shades[found.numbers] = 1 - found.places if found.higher else found.places
    return np.asarray(shades[numbers])


def _column(results: Results, name: str, numbers: NDArray[np.int64]) -> dict[str, Any]:
    """Return the values of a setting: numbers, or places among its choices."""
    values = [getattr(results.trials[number].settings, name) for number in numbers]
    if isinstance(values[0], str):
        choices = sorted(set(values))
        return {
            "choices": choices,
            "values": packed([choices.index(value) for value in values], np.int32),
        }
    return {"choices": None, "values": packed(values, np.float64)}


def _metrics(results: Results) -> list[str]:
    measured = {name for outcome in results.outcomes for name in outcome.metrics}
    return [
        name
        for name in dict.fromkeys([results.settings.metric, *METRICS])
        if name in measured or name in (LOSS, results.settings.metric)
    ]


def _metric(results: Results, name: str, numbers: NDArray[np.int64]) -> str:
    return packed([_value(results, name, int(number)) for number in numbers], np.float64)


def _value(results: Results, name: str, number: int) -> float:
    outcome = results.outcomes[number]
    if name == LOSS:
        return float(outcome.curve[-1]) if len(outcome.curve) else math.nan
    if name == results.settings.metric:
        return results.score(number)
    return outcome.metrics.get(name, math.nan)


def _films(films: Sequence[OwnRun]) -> list[dict[str, Any]]:
    share = MOST_BYTES // max(1, len(films))
    return [
        {
            "trial": int(film.run_id),
            # Its curve is not drawn: the losses of its frames are enough.
            **film_data(film, MOST_FRAMES, share),
            "dataset": points_data(film.dataset, MOST_SHOWN_POINTS),
        }
        for film in films
    ]
