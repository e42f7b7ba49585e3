"""The conclusion of a sweep: its best trial, the model, the films and the pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import fitreel.sweep
import fitreel.training
from fitreel.settings import FILMED
from pipeline.shared import console

if TYPE_CHECKING:
    from fitreel.comparison.runs import ComparedRun
    from fitreel.sweep.results import Results
    from fitreel.sweep.search import Search
    from fitreel.tracking import Run


def conclude(run: "Run", search: "Search", results: "Results") -> None:
    """Log the results of the sweep as a whole; ArithmeticError if no trial is the best."""
    if run.has_done("conclude"):
        return
    with run.stage("conclude"):
        run.log_metrics({end: float(count) for end, count in results.ends.items()})
        with run.artifacts() as folder:
            fitreel.sweep.save_trials(results, folder / "trials.csv")
        best = results.best(FILMED)
        if not best:
            raise ArithmeticError(why_none(results))
        log_best(run, results, best[0])
        films = list(film_best(run, search, results, best))
        with run.artifacts() as folder:
            if films:
                fitreel.sweep.render_films(films, results.settings.metric, folder / "best.gif")
            draw_pictures(results, folder)


def why_none(results: "Results") -> str:
    """Return the reason why no trial is the best."""
    count, metric = len(results.trials), results.settings.metric
    if finished := results.ends["finished"]:
        return f"{metric} is not a number in {finished} finished trials; choose another --metric"
    rates = "the rates of --space" if "lr" in results.names else "--lr"
    return f"none of {count} trials finished, {results.ends['diverged']} diverged; lower {rates}"


def log_best(run: "Run", results: "Results", number: int) -> None:
    """Log the best trial: its values, metrics, weights and model."""
    outcome = results.outcomes[number]
    run.log_params({f"best_{name}": str(each) for name, each in results.values(number).items()})
    run.log_metrics({f"best_{name}": value for name, value in outcome.metrics.items()})
    run.set_tags({"fitreel.best_trial": str(number)})
    if outcome.weights:
        with run.artifacts() as folder:
            fitreel.training.save_weights(outcome.weights, folder / "weights.safetensors")
            run.log_model(folder / "weights.safetensors")


def film_best(
    run: "Run", search: "Search", results: "Results", best: list[int]
) -> "Iterator[ComparedRun]":
    """Train the best trials again with their frames kept, and log those in their runs.

    To keep the frames of all trials of a round would take gigabytes.
    """
    with console.progress("film", len(best)) as progress:
        for done, number in enumerate(best, start=1):
            if film := fitreel.sweep.film_trial(search, results, number):
                with run.trial_artifacts(number, "training") as folder:
                    fitreel.training.save_losses(film.history.losses, folder / "history.csv")
                    fitreel.training.save_frames(film.history, folder / "frames.safetensors")
                yield film
            progress(done)


def draw_pictures(results: "Results", folder: Path) -> None:
    """Write the pictures of the search into a folder."""
    for name, figure in fitreel.sweep.draw_search(results).items():
        figure.savefig(folder / f"{name}.png")
