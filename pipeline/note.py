"""The note: what MLflow's UI shows as a run's description."""

import shlex
from collections.abc import Mapping
from dataclasses import fields

from fitreel import (
    DataSettings,
    EvaluationSettings,
    FilmSettings,
    TrainingSettings,
)

GROUPS = {
    "Points": DataSettings,
    "Training": TrainingSettings,
    "Evaluation": EvaluationSettings,
    "Film": FilmSettings,
}
RESULTS = ("mse", "rmse", "mae", "r2")


def note(params: Mapping[str, str], metrics: Mapping[str, float]) -> str:
    """Write a run's settings, its results and how to reproduce it, in Markdown."""
    parts = [_settings(params), _results(metrics), _command(params)]
    return "\n\n".join(part for part in parts if part)


def _settings(params: Mapping[str, str]) -> str:
    lines = []
    for title, group in GROUPS.items():
        values = [
            f"{each.name} {_code(params[each.name])}"
            for each in fields(group)
            if each.name in params
        ]
        if values:
            lines.append(f"- {title}: {', '.join(values)}")
    return "\n".join(["**Settings**", "", *lines])


def _results(metrics: Mapping[str, float]) -> str:
    rows = [
        f"| {name} | {metrics[f'train_{name}']:.6g} | {_number(metrics.get(f'test_{name}'))} |"
        for name in RESULTS
        if f"train_{name}" in metrics
    ]
    lines = ["| | train | test |", "|---|---|---|", *rows] if rows else []
    if "noise_floor" in metrics:
        lines += ["", f"No model gets a test mse below the noise's {metrics['noise_floor']:.6g}."]
    if "loss" in metrics:
        lines = [f"Final loss {metrics['loss']:.6g}.", "", *lines]
    return "\n".join(["**Results**", "", *lines]) if lines else ""


def _command(params: Mapping[str, str]) -> str:
    options = [
        f"--{each.name.replace('_', '-')} {shlex.quote(params[each.name])}"
        for group in GROUPS.values()
        for each in fields(group)
        if each.name in params and params[each.name] != str(each.default)
    ]
    command = " ".join(["fitreel run", *options])
    return f"**Reproduce**\n\n    {command.replace(chr(10), ' ')}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _code(text: str) -> str:
    return "`" + " ".join(text.replace("`", "'").split()) + "`"
