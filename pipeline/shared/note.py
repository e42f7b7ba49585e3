"""The note: what MLflow's UI shows as a run's description."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import fitreel.tracking
import fitreel.training
from fitreel.checks.text import brief, code_span, shown
from fitreel.settings import (
    TABLE_TRAINING,
    DataSettings,
    EvaluationSettings,
    FilmSettings,
    SweepSettings,
    TableSettings,
    TrainingSettings,
    parse,
)
from fitreel.settings.metrics import (
    CLASS_TEST_METRICS,
    DEAD_NEURONS,
    LOSS,
    NOISE_FLOOR,
    TEST_MAE,
    TEST_R2,
    TEST_RMSE,
    TRAIN_ACCURACY,
    TRAIN_LOG_LOSS,
    TRAIN_RMSE,
    baseline_errors,
)
from fitreel.settings.space import LONGEST_SPACE
from fitreel.tracking.names import (
    BEST_FILM,
    NOTHING_LEARNED_TAG,
    PLAYER,
    SHA256_TAG,
    SOURCE_RUN_TAG,
    SWEEP_PAGE,
    TRIALS,
    WEIGHTS_PICTURE,
    film_path,
)
from fitreel.tracking.note_parts import picture, row, table, way

if TYPE_CHECKING:
    from fitreel.sweep.results import Results
    from fitreel.tracking import Run

GROUPS = {
    "Table": TableSettings,
    "Points": DataSettings,
    "Training": TrainingSettings,
    "Evaluation": EvaluationSettings,
    "Film": FilmSettings,
}
SWEEP = {
    "Table": TableSettings,
    "Points": DataSettings,
    "Training": TrainingSettings,
    "Evaluation": EvaluationSettings,
    "Sweep": SweepSettings,
}
PLACE = {"storage", "engine", "address", "parallel"}  # where a sweep was done, not what
ERRORS = (
    *(TRAIN_RMSE, TEST_RMSE, "points_rmse", "points_r2", TEST_R2, TEST_MAE),
    *(TRAIN_LOG_LOSS, TRAIN_ACCURACY, *CLASS_TEST_METRICS),
)
NOTED = 9  # trials in the note of a sweep


def note(run: "Run") -> str:
    """Return the note of a run in Markdown: film, results, how to reproduce it, settings."""
    # The UI folds all but the first lines: what a run has learned is seen there at once.
    parts = [
        _warning(run),
        *_film(run),
        _results(run),
        *_weights(run),
        _reproduce(run),
        _settings(_described(run)),
    ]
    return "\n\n".join(part for part in parts if part)


def sweep_note(run: "Run", results: "Results") -> str:
    """Return the note of a sweep in Markdown: best trials, pictures, how to reproduce it."""
    metric = results.settings.metric
    head = ["trial", *results.names, metric, "dead neurons"]
    rows = [row(*head), "|" + "---|" * len(head)]
    for number in results.best(NOTED):
        values = [brief(value) for value in results.values(number).values()]
        dead = results.outcomes[number].metrics.get(DEAD_NEURONS)
        count = "" if dead is None else f"{dead:.0f}"
        rows.append(row(str(number), *values, f"{results.score(number):.4g}", count))
    ways = ", ".join(way(run, file) for file in (TRIALS, *results.pictures))
    page = f"Sort, filter and play the trials: {way(run, SWEEP_PAGE)}"
    return "\n\n".join(
        [
            picture(run, BEST_FILM),
            page,
            "\n".join(rows),
            "&nbsp;",
            results.summary,
            *(picture(run, file) for file in results.pictures),
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


def _film(run: "Run") -> list[str]:
    """Return the film and a link to the player, as far as they exist."""
    if not run.has_logged("animate"):
        return []
    settings = run.params_in_force
    found = []
    if settings.get("format") == "gif":  # an mp4 cannot be shown as a picture
        found.append(picture(run, film_path("gif")))
    if settings.get("player") == "on":
        found.append(f"Play it: {way(run, PLAYER)}")
    return found


def _weights(run: "Run") -> list[str]:
    return [picture(run, WEIGHTS_PICTURE)] if run.has_logged("evaluate") else []


def _warning(run: "Run") -> str:
    """Return why the network is useless, or than what it is worse, if it is."""
    if reason := run.tags.get(NOTHING_LEARNED_TAG):
        return f"**The network learned nothing**: {_line(reason, 300)}"
    if reason := fitreel.training.why_worse(run.metrics):
        return f"**The network is {reason}**"
    return ""


def _draws_points(run: "Run") -> bool:
    """Return whether settings give a run's rows again; a single stage may have none at all."""
    if run.has_table:
        return True
    known = {each.name for each in fields(DataSettings)} & run.params.keys()
    has_points = SHA256_TAG in run.tags
    return not fitreel.tracking.has_edited_points(run.tags) and bool(known or not has_points)


def _described(run: "Run") -> dict[str, str]:
    """Return the params that describe a run: without those of points that it no longer has."""
    points, table = ({each.name for each in fields(kind)} for kind in (DataSettings, TableSettings))
    left_out = table if _draws_points(run) else points | table
    if run.has_table:
        left_out = points - {"data_seed"}
    return {name: text for name, text in run.params_in_force.items() if name not in left_out}


def _reproduce(run: "Run") -> str:
    """Return how to get these results again, as far as the run knows."""
    if not _draws_points(run):
        return _training(run)
    # A run that measures or films another one has no points and no training.
    is_of_another = SOURCE_RUN_TAG in run.tags and SHA256_TAG not in run.tags
    return "" if is_of_another else _commands(_described(run))


def _training(run: "Run") -> str:
    """Return how to train again on points that no settings draw."""
    training = _changed(run.params_in_force, {"Training": TrainingSettings})
    theirs = "".join(f" -P {name}={value}" for name, value in training)
    return (
        "**Train again** on these points, which no settings draw\n\n"
        f"    fitreel reproduce {run.run_id}\n"
        f"    mlflow run . -e train -P run={run.run_id}{theirs}"
    )


def _results(run: "Run") -> str:
    metrics, params = run.metrics, run.params_in_force
    rows = [row(name, f"{metrics[name]:.4g}") for name in (LOSS, *ERRORS) if name in metrics]
    rows += [row(label, f"{value:.4g}") for label, value in baseline_errors(metrics).items()]
    if TEST_RMSE in metrics and (floor := _read(params, NOISE_FLOOR, float)):
        rows.append(row("noise floor of test_rmse", f"{floor:.4g}"))
    if DEAD_NEURONS in metrics:
        hidden = _read(params, "hidden", int)
        of = f" of {hidden:.0f}" if hidden else ""
        rows.append(row("dead neurons", f"{metrics[DEAD_NEURONS]:.0f}{of}"))
    return table(rows)


def _read(params: Mapping[str, str], name: str, kind: type[float]) -> float | None:
    """Return a param as a number; None if it is missing or not a number."""
    try:
        return float(parse(params[name], kind))
    except (KeyError, ValueError):
        return None


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
    defaults = TABLE_TRAINING if params.get("data") else {}
    return [
        # Anybody may have written a param, and people copy this line into a shell.
        (each.name, shlex.quote(_line(params[each.name], most)))
        for group in groups.values()
        for each in fields(group)
        if each.name in params and params[each.name] != str(defaults.get(each.name, each.default))
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


def _line(text: str, most: int = 80) -> str:
    return shown(" ".join(text.split()), most)
