"""The note: what MLflow's UI shows as a run's description."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import fitreel.tracking
from fitreel.checks.text import brief, code_span, shown
from fitreel.settings import (
    DataSettings,
    EvaluationSettings,
    FilmSettings,
    SweepSettings,
    TrainingSettings,
)
from fitreel.settings.space import LONGEST_SPACE
from fitreel.tracking.names import (
    BEST_FILM,
    NOTHING_LEARNED_TAG,
    PLAYER,
    SHA256_TAG,
    SOURCE_RUN_TAG,
    TRIALS,
    WEIGHTS_PICTURE,
    film_path,
    seconds_tag,
)

if TYPE_CHECKING:
    from fitreel.sweep.results import Results
    from fitreel.tracking import Run

GROUPS = {
    "Points": DataSettings,
    "Training": TrainingSettings,
    "Evaluation": EvaluationSettings,
    "Film": FilmSettings,
}
SWEEP = {
    "Points": DataSettings,
    "Training": TrainingSettings,
    "Evaluation": EvaluationSettings,
    "Sweep": SweepSettings,
}
PLACE = {"storage", "engine", "address", "parallel"}  # where a sweep was done, not what
NOTED = 9  # trials in the note of a sweep
RESULTS = ("mse", "rmse", "mae", "r2")


def note(run: "Run") -> str:
    """Return the note of a run in Markdown: results, pictures, how to reproduce it, settings."""
    # Results first: the UI folds all but the first lines.
    parts = [
        _warning(run.tags),
        _results(run.metrics),
        *_pictures(run),
        _reproduce(run),
        _settings(_described(run)),
    ]
    return "\n\n".join(part for part in parts if part)


def sweep_note(run: "Run", results: "Results") -> str:
    """Return the note of a sweep in Markdown: best trials, pictures, how to reproduce it."""
    metric = results.settings.metric
    head = ["trial", *results.names, metric]
    rows = [_row(*head), "|" + "---|" * len(head)]
    for number in results.best(NOTED):
        values = [brief(value) for value in results.values(number).values()]
        rows.append(_row(str(number), *values, f"{results.score(number):.4g}"))
    ways = ", ".join(way(run, file) for file in (TRIALS, *results.pictures))
    return "\n\n".join(
        [
            "\n".join(rows),
            "&nbsp;",
            results.summary,
            *(picture(run, file) for file in (BEST_FILM, *results.pictures)),
            f"Look at {ways}",
            _commands(_reproducing(run, results), SWEEP, "sweep", LONGEST_SPACE),
        ]
    )


def _reproducing(run: "Run", results: "Results") -> dict[str, str]:
    """Return the params that reproduce a sweep; its own as given, because MLflow quotes them."""
    own = {name: str(value) for name, value in asdict(results.settings).items()}
    left_out = {*PLACE, *results.names}
    return {
        name: text for name, text in (run.params_in_force | own).items() if name not in left_out
    }


def picture(run: "Run", file: str) -> str:
    """Return the Markdown of a picture, whose address is relative to MLflow's page."""
    return f"![{file}](get-artifact?path={quote(file)}&run_uuid={quote(run.run_id)})"


def way(run: "Run", file: str) -> str:
    """Return a link to an artifact of a run, in MLflow's viewer."""
    return f"[{file}](#/experiments/{run.experiment_id}/runs/{run.run_id}/artifacts/{quote(file)})"


def _pictures(run: "Run") -> list[str]:
    """Return film, weights and a link to the player, as far as they exist."""
    found = []
    if seconds_tag("animate") in run.tags:
        settings = run.params_in_force
        if settings.get("format") == "gif":  # an mp4 cannot be shown as a picture
            found.append(picture(run, film_path("gif")))
        if settings.get("player") == "on":
            found.append(f"Play it: {way(run, PLAYER)}")
    if seconds_tag("evaluate") in run.tags:
        found.append(picture(run, WEIGHTS_PICTURE))
    return found


def _warning(tags: Mapping[str, str]) -> str:
    reason = tags.get(NOTHING_LEARNED_TAG)
    return f"**The network learned nothing**: {_line(reason, 300)}" if reason else ""


def _draws_points(run: "Run") -> bool:
    """Return whether a run's settings draw its points; a single stage may have no points at all."""
    known = {each.name for each in fields(DataSettings)} & run.params.keys()
    has_points = SHA256_TAG in run.tags
    return not fitreel.tracking.has_edited_points(run.tags) and bool(known or not has_points)


def _described(run: "Run") -> dict[str, str]:
    """Return the params that describe a run: without those of points that it no longer has."""
    left_out = {each.name for each in fields(DataSettings)} if not _draws_points(run) else set()
    return {name: text for name, text in run.params_in_force.items() if name not in left_out}


def _reproduce(run: "Run") -> str:
    """Return how to get these results again, as far as the run knows."""
    if not _draws_points(run):
        return _training(run)
    # A run that measures or films another one has no points and no training.
    is_of_another = SOURCE_RUN_TAG in run.tags and SHA256_TAG not in run.tags
    return "" if is_of_another else _commands(run.params_in_force)


def _training(run: "Run") -> str:
    """Return how to train again on points that no settings draw."""
    training = _changed(run.params_in_force, {"Training": TrainingSettings})
    theirs = "".join(f" -P {name}={value}" for name, value in training)
    return (
        "**Train again** on these points, which no settings draw\n\n"
        f"    fitreel reproduce {run.run_id}\n"
        f"    mlflow run . -e train -P run={run.run_id}{theirs}"
    )


def _results(metrics: Mapping[str, float]) -> str:
    # The points of the training, fresh ones; those that took their place after the training.
    sets = [each for each in ("train", "test", "points") if f"{each}_mse" in metrics]
    if sets and "points" not in sets:
        sets = ["train", "test"]
    rows = [
        _row(name, *(_number(metrics, f"{each}_{name}") for each in sets))
        for name in RESULTS
        if any(f"{each}_{name}" in metrics for each in sets)
    ]
    if rows:
        rows = [_row("", *sets), "|---|" + "---|" * len(sets), *rows]
    if "noise_floor" in metrics:
        rows.append(_row("noise floor", "", _number(metrics, "noise_floor")))
    lines = [f"Final loss **{_number(metrics, 'loss')}**"] if "loss" in metrics else []
    # An empty paragraph, or what follows sticks to the table.
    return "\n".join([*lines, "", *rows, "", "&nbsp;"]) if lines or rows else ""


def _row(*cells: str) -> str:
    # The UI sets cells without any space between them.
    return "|" + "|".join(f"{cell}&emsp;" for cell in cells) + "|"


def _commands(
    params: Mapping[str, str],
    groups: Mapping[str, Any] = GROUPS,
    entry: str | None = None,
    most: int = 80,
) -> str:
    changed = _changed(params, groups, most)
    options = "".join(f" --{name.replace('_', '-')} {value}" for name, value in changed)
    parameters = "".join(f" -P {name}={value}" for name, value in changed)
    project = f". -e {entry}" if entry else "."
    ours, theirs = f"fitreel {entry or 'run'}{options}", f"mlflow run {project}{parameters}"
    return f"**Reproduce**\n\n    {ours}\n    {theirs}"


def _changed(
    params: Mapping[str, str], groups: Mapping[str, Any], most: int = 80
) -> list[tuple[str, str]]:
    """Return the settings that differ from their defaults, quoted for a shell."""
    return [
        # Anybody may have written a param, and people copy this line into a shell.
        (each.name, shlex.quote(_line(params[each.name], most)))
        for group in groups.values()
        for each in fields(group)
        if each.name in params and params[each.name] != str(each.default)
    ]


def _settings(params: Mapping[str, str]) -> str:
    lines = []
    for title, group in GROUPS.items():
        values = [
            f"{each.name} {code_span(params[each.name])}"
            for each in fields(group)
            if each.name in params
        ]
        if values:
            lines.append(f"- {title}: {', '.join(values)}")
    return "\n".join(["**Settings**", "", *lines])


def _number(metrics: Mapping[str, float], name: str) -> str:
    return f"{metrics[name]:.4g}" if name in metrics else ""


def _line(text: str, most: int = 80) -> str:
    return shown(" ".join(text.split()), most)
