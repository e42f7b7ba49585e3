"""The conclusion of a sweep: its best trial, the model, the films and the pictures."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import fitreel.pages
import fitreel.sweep
import fitreel.training
from fitreel.settings import FILMED
from fitreel.tracking.names import (
    BEST_FILM,
    BEST_TRIAL_TAG,
    ENDS_TAG,
    FRAMES_FILE,
    HISTORY_FILE,
    SWEEP_PAGE,
    TRAINING,
    TRIALS,
    WEIGHTS,
)
from pipeline.shared.progress import progress
from pipeline.shared.stage import nothing, stage

if TYPE_CHECKING:
    from fitreel.comparison.compared import OwnRun
    from fitreel.sweep.results import Results
    from fitreel.sweep.search import Search
    from fitreel.tracking import Run


@stage("conclude", restore=nothing)
def conclude(run: "Run", search: "Search", results: "Results") -> None:
    """Log the results of the sweep as a whole; ArithmeticError if no trial is the best."""
    run.set_tags({ENDS_TAG: json.dumps(results.ends)})
    # Before the error below: a sweep without a best trial has its table, too.
    with run.artifacts() as folder:
        fitreel.sweep.save_trials(results, folder / TRIALS)
    best = results.best(FILMED)
    if not best:
        raise ArithmeticError(why_none(results))
    log_best(run, search, results, best[0])
    films = list(film_best(run, search, results, best))
    with run.artifacts() as folder:
        if films:
            fitreel.sweep.render_films(films, results.settings.metric, folder / BEST_FILM)
        draw_pictures(results, folder)
        fitreel.pages.write_sweep(results, films, folder / SWEEP_PAGE, run.name)


def why_none(results: "Results") -> str:
    """Return the reason why no trial is the best."""
    count, metric = len(results.trials), results.settings.metric
    if finished := results.ends["finished"]:
        return f"{metric} is not a number in {finished} finished trials; choose another --metric"
    rates = "the rates of --space" if "lr" in results.names else "--lr"
    return f"none of {count} trials finished, {results.ends['diverged']} diverged; lower {rates}"


def log_best(run: "Run", search: "Search", results: "Results", number: int) -> None:
    """Log the best trial: its metrics, weights and model."""
    outcome, dataset = results.outcomes[number], search.dataset
    # By their own names: the model of the sweep is this one.
    run.log_metrics(outcome.metrics)
    # A record of a trial has no scaling: it is that of the rows, the same for all.
    weights = outcome.weights and outcome.weights.with_scaling(dataset.scaling)
    if weights and dataset.test:  # no trial was measured on these rows
        measured = fitreel.training.evaluate(weights, dataset)
        run.log_metrics(measured | fitreel.training.baseline_metrics(dataset))
    run.set_tags({BEST_TRIAL_TAG: str(number)})
    if weights:
        with run.artifacts() as folder:
            fitreel.training.save_weights(weights, folder / WEIGHTS, dataset)
            run.log_model(folder / WEIGHTS)


def film_best(
    run: "Run", search: "Search", results: "Results", best: list[int]
) -> "Iterator[OwnRun]":
    """Train the best trials again with their frames kept, and log those in their runs.

    To keep the frames of all trials of a round would take gigabytes.
    """
    with progress("film", len(best)) as show:
        for done, number in enumerate(best, start=1):
            if film := fitreel.sweep.film_trial(search, results, number):
                with run.trial_artifacts(number, TRAINING) as folder:
                    fitreel.training.save_losses(film.history.losses, folder / HISTORY_FILE)
                    fitreel.training.save_frames(film.history, folder / FRAMES_FILE)
                yield film
            show(done)


def draw_pictures(results: "Results", folder: Path) -> None:
    """Write the pictures of the search into a folder."""
    for name, figure in fitreel.sweep.draw_search(results).items():
        figure.savefig(folder / f"{name}.png")
