"""The films of a sweep: its best trials, trained again alone with their frames kept."""

from dataclasses import asdict, replace
from pathlib import Path

from fitreel.comparison.compared import OwnRun
from fitreel.comparison.grid import render_grid
from fitreel.comparison.runs import compare
from fitreel.pictures.film import film_format, render
from fitreel.settings import FilmSettings
from fitreel.sweep.results import Results
from fitreel.sweep.search import Search
from fitreel.training.loop import TrainingDiverged, fit


def film_trial(search: Search, results: Results, number: int) -> OwnRun | None:
    """Train a trial again by ``fit``; return None if it diverges, which only a chaotic one can."""
    settings = results.trials[number].settings
    # No more frames than a film shows: a long trial would fill the memory with others.
    every = max(settings.frame_every, -(-settings.epochs // FilmSettings.max_frames))
    try:
        _, history = fit(search.dataset, replace(settings, frame_every=every))
    except TrainingDiverged:
        return None
    points = asdict(search.data) if search.data else {}
    params = points | asdict(settings) | {"frame_every": every}
    return OwnRun(
        str(number),
        results.trials[number].name,
        {name: str(value) for name, value in params.items()},
        results.outcomes[number].metrics,
        search.dataset,
        history,
    )


def render_films(films: list[OwnRun], metric: str, path: Path | str) -> None:
    """Write the films side by side and in step, a single one as large as ``rst.gif``.

    ValueError if ``path`` is not a gif.
    """
    film_format(path, possible=("gif",))
    if len(films) == 1:
        render(films[0].dataset, films[0].history, path)
    else:
        render_grid(compare(films, metric), path)
