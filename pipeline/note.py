"""The note: what MLflow's UI shows as a run's description."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fitreel import (
    DataSettings,
    EvaluationSettings,
    FilmSettings,
    SweepSettings,
    TrainingSettings,
)
from fitreel.settings import in_force
from fitreel.sweep.space import LONGEST
from fitreel.text import brief, code_span, shown

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
    """Write a run's results, pictures, how to reproduce it and its settings, in Markdown."""
    # Results first: the UI folds all but the first lines.
    parts = [_results(run.metrics), *_pictures(run), _commands(run.params), _settings(run.params)]
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
            _commands(_told(run, results), SWEEP, "sweep", LONGEST),
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


def _results(metrics: Mapping[str, float]) -> str:
    names = [name for name in RESULTS if f"train_{name}" in metrics]
    rows = [
        _row(name, _number(metrics, f"train_{name}"), _number(metrics, f"test_{name}"))
        for name in names
    ]
    if rows:
        rows = [_row("", "train", "test"), "|---|---|---|", *rows]
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
    changed = [
        (each.name, shlex.quote(_line(params[each.name], most)))
        for group in groups.values()
        for each in fields(group)
        if each.name in params and params[each.name] != str(each.default)
    ]
    options = "".join(f" --{name.replace('_', '-')} {value}" for name, value in changed)
    parameters = "".join(f" -P {name}={value}" for name, value in changed)
    project = f". -e {entry}" if entry else "."
    ours, theirs = f"fitreel {entry or 'run'}{options}", f"mlflow run {project}{parameters}"
    return f"**Reproduce**\n\n    {ours}\n    {theirs}"


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
