"""The terminal: weights, warnings, the closing table. All on standard error."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

import fitreel.comparison
from fitreel.checks.text import brief, shown
from fitreel.settings.metrics import (
    BEST_EPOCH,
    CLASS_TEST_METRICS,
    DEAD_NEURONS,
    LOSS,
    TEST_MAE,
    TEST_R2,
    TEST_RMSE,
    TRAIN_ACCURACY,
    TRAIN_LOG_LOSS,
    TRAIN_RMSE,
    baseline_errors,
    seconds_metric,
)

if TYPE_CHECKING:
    from fitreel.comparison.runs import Comparison
    from fitreel.sweep.results import Results
    from fitreel.tracking import Run
    from fitreel.training.weights import Weights

STAGES = ("generate", "train", "evaluate", "animate")
ERRORS = (
    *(TRAIN_RMSE, TEST_RMSE, TEST_R2, TEST_MAE, "points_rmse", "points_r2"),
    *(TRAIN_LOG_LOSS, TRAIN_ACCURACY, *CLASS_TEST_METRICS),
)
WIDE = 1000  # columns, more than any line of ours has
BEST = 5  # trials shown
START_OF_ID = 8  # characters, of the 32 of an id
ROWS = 50  # neurons shown; weights.csv has them all


def say(text: str) -> None:
    """Print one line to standard error, without anything that controls a terminal."""
    print(shown(text, WIDE), file=sys.stderr)


def warn(text: str) -> None:
    """Print a warning, on one line."""
    say(f"fitreel: {' '.join(text.split())}")


@contextmanager
def resume_hint(run_id: str) -> Iterator[None]:
    """Print how to resume a run if it is interrupted, and where, as the error's notes say."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as error:
        where = "".join(f" {note}" for note in getattr(error, "__notes__", ()))
        say(f"interrupted{where}; resume with: fitreel resume {run_id}")
        raise


def show_weights(weights: "Weights") -> None:
    """Print the hidden neurons as rows, and the output's bias."""
    if weights.shape.features > 1 or weights.is_classifier:
        say(f"{weights.shape.size:,} weights, all in weights.csv")
        return
    rows = list(zip(weights.input_weight, weights.bias, weights.output_weight[0], strict=True))
    say("neuron  input_weight          bias  output_weight")
    for neuron, row in enumerate(rows[:ROWS]):
        say(f"{neuron:6}  {row[0].item():12.6f}  {row[1].item():12.6f}  {row[2].item():13.6f}")
    if len(rows) > ROWS:
        say(f"     … and {len(rows) - ROWS} more in weights.csv")
    say(f"output bias {weights.output_bias.item():.6f}")


def summarise(run: "Run", ways: Mapping[str, str]) -> None:
    """Print the summary of a run: losses, errors, the stages' times, how to see it in the UI."""
    # Text, not str, here and below: rich takes [brackets] in a str for markup.
    table = Table(title=Text(shown(run.name)), title_justify="left", show_header=False)
    # Early stopping keeps earlier weights than those of the last loss.
    last = "loss of the last epoch" if BEST_EPOCH in run.metrics else "final loss"
    for label, metric in {last: LOSS, **{name: name for name in ERRORS}}.items():
        if metric in run.metrics:
            table.add_row(label, f"{run.metrics[metric]:.6f}")
    for label, value in baseline_errors(run.metrics).items():
        table.add_row(label, f"{value:.6f}")
    if BEST_EPOCH in run.metrics:
        table.add_row("best epoch", f"{run.metrics[BEST_EPOCH]:.0f}")
    if DEAD_NEURONS in run.metrics:
        count = f"{run.metrics[DEAD_NEURONS]:.0f} of {run.params_in_force.get('hidden', '?')}"
        table.add_row("dead neurons", Text(shown(count)))
    for stage in STAGES:
        if seconds := run.metrics.get(seconds_metric(stage)):
            table.add_row(stage, f"{seconds:.2f} s")
    table.add_row("run", Text(run.run_id))
    Console(stderr=True).print(table)
    show_ways(ways)


def summarise_comparison(comparison: "Comparison", run: "Run", ways: Mapping[str, str]) -> None:
    """Print the compared runs, the best starred, and how to see them in the UI."""
    table = Table(title=Text(shown(run.name)), title_justify="left")
    metrics = dict.fromkeys([comparison.metric, DEAD_NEURONS])
    for name in ("differs", "run", *metrics):
        table.add_column(Text(shown(name)))
    captions = fitreel.comparison.run_captions(comparison)
    for place, (caption, label) in enumerate(zip(captions, comparison.labels, strict=True)):
        cells = [_compared(comparison, name, place) for name in metrics]
        table.add_row(Text(shown(caption)), Text(shown(label)), *cells)
    Console(stderr=True).print(table)
    show_ways(ways)


def _compared(comparison: "Comparison", metric: str, place: int) -> str:
    value = comparison.runs[place].metrics.get(metric)
    star = " *" if place in comparison.best.get(metric, ()) else ""
    return "" if value is None else f"{value:.6g}{star if metric == comparison.metric else ''}"


def summarise_sweep(results: "Results | None", run: "Run", ways: Mapping[str, str]) -> None:
    """Print the best trials, how the others ended, and how to see them in the UI."""
    if results and (best := results.best(BEST)):
        table = Table(title=Text(shown(run.name)), title_justify="left")
        for name in ("trial", *results.names, results.settings.metric):
            table.add_column(Text(name), justify="right")
        for number in best:
            values = [brief(value) for value in results.values(number).values()]
            table.add_row(str(number), *values, f"{results.score(number):.6g}")
        Console(stderr=True).print(table)
        say(results.summary)
    show_ways(ways)


def show_ways(ways: Mapping[str, str]) -> None:
    """Print how to look at a run, a line each: one that is cut off or folded cannot be copied."""
    for name, way in ways.items():
        say(f"{name}: {way}")


def show_runs(rows: Iterable[tuple[str, ...]]) -> None:
    """Print runs to standard output, as rows of id, name, experiment, status, age, loss, test_rmse.

    In a pipe nothing is cut off or wrapped; a terminal shows the start of an id, which names it.
    """
    table = Table("run", "name", "experiment", "status", "age", "loss", TEST_RMSE, box=SIMPLE_HEAD)
    is_terminal = sys.stdout.isatty()
    for run_id, *others in rows:
        cells = (run_id[:START_OF_ID] if is_terminal else run_id, *others)
        table.add_row(*(Text(shown(cell)) for cell in cells))
    Console(width=None if is_terminal else WIDE).print(table)


def show_run(found: Mapping[str, Any]) -> None:
    """Print what is known of a run to standard output: a line for each setting, metric and file."""
    lines = [f"{name}: {found[name]}" for name in ("run_id", "name", "experiment_id", "status")]
    for title in ("params", "metrics", "files"):
        width = max(map(len, found[title]), default=0)
        lines += ["", title]
        lines += [f"  {name:{width}}  {value}" for name, value in found[title].items()]
    for line in lines:
        print(shown(line, WIDE))


def show_differences(rows: Iterable[tuple[str, str, str]]) -> None:
    """Print what a run recorded next to what is found now: rows of name, recorded, now."""
    table = Table("", "recorded", "now")
    for row in rows:
        table.add_row(*(Text(shown(cell, WIDE), overflow="fold") for cell in row))
    Console(stderr=True).print(table)


def show_checkup(rows: Iterable[tuple[str, str, str]]) -> None:
    """Print the findings of the doctor: rows of name, outcome, finding; in a pipe one line each."""
    table = Table("check", "outcome", "found")
    colours = {"ok": "green", "note": "yellow", "missing": "red"}
    for name, outcome, text in rows:
        found = Text(shown(text, WIDE), overflow="fold")
        table.add_row(name, Text(outcome, colours[outcome]), found)
    Console(stderr=True, width=None if sys.stderr.isatty() else WIDE).print(table)
