"""The films of a sweep: its best trials trained once more, alone, with their frames kept."""

from dataclasses import asdict, replace
from pathlib import Path

from fitreel.comparison.grid import render_grid
from fitreel.comparison.runs import ComparedRun, compare
from fitreel.pictures.film import film_format, render
from fitreel.settings import FilmSettings
from fitreel.sweep.results import Results
from fitreel.sweep.search import Search
from fitreel.training.loop import TrainingDiverged, fit


def film_trial(search: Search, results: Results, number: int) -> ComparedRun | None:
    """Train a trial again as ``fit`` does; None if that diverges, which chaos alone can do."""
    settings = results.trials[number].settings
    every = max(settings.frame_every, -(-settings.epochs // FilmSettings.max_frames))
    try:
        _, history = fit(search.dataset, replace(settings, frame_every=every))
    except TrainingDiverged:
        return None
    params = asdict(search.data) | asdict(settings) | {"frame_every": every}
    metrics = results.outcomes[number].metrics
    trial = results.trials[number]
    texts = {name: str(value) for name, value in params.items()}
    return ComparedRun(trial.name, results.title(number), texts, metrics, search.dataset, history)


def render_films(films: list[ComparedRun], metric: str, path: Path | str) -> None:
    """Write the films side by side and in step, one alone as large as ``rst.gif``.

    It is a gif: ValueError where ``path`` has another suffix.
    """
    film_format(path, possible=("gif",))
    if len(films) == 1:
        render(films[0].dataset, films[0].history, path)
    else:
        render_grid(compare(films, metric), path)
