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
    in_force,
)
from fitreel.settings.space import LONGEST_SPACE

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
SHA256 = "fitreel.dataset_sha256"  # tag: of a run that has points
NOTHING_LEARNED = "fitreel.nothing_learned"  # tag: why, of a training that ended with a useless fit


def note(run: "Run") -> str:
    """Write a run's results, pictures, how to reproduce it and its settings, in Markdown."""
    # Results first: the UI folds all but the first lines.
    parts = [
        _warning(run.tags),
        _results(run.metrics),
        *_pictures(run),
        _reproduce(run),
        _settings(_in_force(run)),
    ]
    return "\n\n".join(part for part in parts if part)


def sweep_note(run: "Run", results: "Results") -> str:
    """Write a sweep's best trials and pictures, and the command that does it again, in Markdown."""
    metric = results.settings.metric
    head = ["trial", *results.names, metric]
    rows = [_row(*head), "|" + "---|" * len(head)]
    for number in results.best(NOTED):
        values = [brief(value) for value in results.values(number).values()]
        rows.append(_row(str(number), *values, f"{results.score(number):.4g}"))
    ways = ", ".join(way(run, file) for file in ("trials.csv", *results.pictures))
    return "\n\n".join(
        [
            "\n".join(rows),
            "&nbsp;",
            results.summary,
            *(picture(run, file) for file in ("best.gif", *results.pictures)),
            f"Look at {ways}",
            _commands(_told(run, results), SWEEP, "sweep", LONGEST_SPACE),
        ]
    )


def _told(run: "Run", results: "Results") -> dict[str, str]:
    """Give what a sweep was told: by its own settings, as MLflow quotes their texts."""
    own = {name: str(value) for name, value in asdict(results.settings).items()}
    left_out = {*PLACE, *results.names}
    return {name: text for name, text in (run.params | own).items() if name not in left_out}


def picture(run: "Run", file: str) -> str:
    """Show an artifact of a run: the address is relative to MLflow's page, wherever that is."""
    return f"![{file}](get-artifact?path={quote(file)}&run_uuid={quote(run.run_id)})"


def way(run: "Run", file: str) -> str:
    """Lead to an artifact of a run, in MLflow's viewer."""
    return f"[{file}](#/experiments/{run.experiment_id}/runs/{run.run_id}/artifacts/{quote(file)})"


def _pictures(run: "Run") -> list[str]:
    """Show film and weights and lead to the player, as far as there are these."""
    found = []
    if "fitreel.animate_seconds" in run.tags:
        settings = in_force(run.params, run.tags)
        if settings.get("format") == "gif":  # an mp4 is no picture
            found.append(picture(run, "rst.gif"))
        if settings.get("player") == "on":
            found.append(f"Play it: {way(run, 'player.html')}")
    if "fitreel.evaluate_seconds" in run.tags:
        found.append(picture(run, "rst.png"))
    return found


def _warning(tags: Mapping[str, str]) -> str:
    reason = tags.get(NOTHING_LEARNED)
    return f"**The network learned nothing**: {_line(reason, 300)}" if reason else ""


def _draws_points(run: "Run") -> bool:
    """Tell whether a run's settings draw its points; a stage alone may have no points at all."""
    known = {each.name for each in fields(DataSettings)} & run.params.keys()
    has_points = SHA256 in run.tags
    return not fitreel.tracking.has_edited_points(run.tags) and bool(known or not has_points)


def _in_force(run: "Run") -> dict[str, str]:
    """Give a run's params, but for those of points that it no longer has."""
    left_out = {each.name for each in fields(DataSettings)} if not _draws_points(run) else set()
    return {name: text for name, text in run.params.items() if name not in left_out}


def _reproduce(run: "Run") -> str:
    """Say how to get these results again, as far as the run itself knows how."""
    if not _draws_points(run):
        return _training(run)
    # A run that measures or films another one has no points and no training.
    is_of_another = "fitreel.source_run" in run.tags and SHA256 not in run.tags
    return "" if is_of_another else _commands(run.params)


def _training(run: "Run") -> str:
    """Say how to train on points again that no settings draw."""
    training = _changed(run.params, {"Training": TrainingSettings})
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
        rows.append(_row("least possible mse", "", _number(metrics, "noise_floor")))
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
    """Give the settings that are not their defaults, quoted for a shell."""
    return [
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
