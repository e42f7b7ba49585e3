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
    DEAD_NEURONS,
    LOSS,
    TEST_R2,
    TEST_RMSE,
    TRAIN_RMSE,
    seconds_metric,
)

if TYPE_CHECKING:
    from fitreel.comparison.runs import Comparison
    from fitreel.sweep.results import Results
    from fitreel.tracking import Run
    from fitreel.training.weights import Weights

STAGES = ("generate", "train", "evaluate", "animate")
ERRORS = (TRAIN_RMSE, TEST_RMSE, TEST_R2, "points_rmse", "points_r2")
WIDE = 1000  # columns, more than any line of ours has
BEST = 5  # trials shown
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
    rows = list(zip(weights.input_weight, weights.bias, weights.output_weight, strict=True))
    say("neuron  input_weight          bias  output_weight")
    for neuron, row in enumerate(rows[:ROWS]):
        say(f"{neuron:6}  {row[0].item():12.6f}  {row[1].item():12.6f}  {row[2].item():13.6f}")
    if len(rows) > ROWS:
        say(f"     … and {len(rows) - ROWS} more in weights.csv")
    say(f"output bias {weights.output_bias.item():.6f}")


def summarise(run: "Run", uri: str) -> None:
    """Print the summary of a run: losses, errors, the stages' times, how to see it in the UI."""
    # Text, not str, here and below: rich takes [brackets] in a str for markup.
    table = Table(title=Text(shown(run.name)), title_justify="left", show_header=False)
    for label, metric in {"final loss": LOSS, **{name: name for name in ERRORS}}.items():
        if metric in run.metrics:
            table.add_row(label, f"{run.metrics[metric]:.6f}")
    if DEAD_NEURONS in run.metrics:
        count = f"{run.metrics[DEAD_NEURONS]:.0f} of {run.params_in_force.get('hidden', '?')}"
        table.add_row("dead neurons", Text(shown(count)))
    for stage in STAGES:
        if seconds := run.metrics.get(seconds_metric(stage)):
            table.add_row(stage, f"{seconds:.2f} s")
    table.add_row("run", Text(run.run_id))
    # fold: a line that was cut off could not be copied.
    table.add_row("look at it", Text(shown(_way_to_ui(run, uri), 1000), overflow="fold"))
    Console(stderr=True).print(table)


def summarise_comparison(comparison: "Comparison", run: "Run", uri: str) -> None:
    """Print the compared runs, the best starred, and how to see them in the UI."""
    table = Table(title=Text(shown(run.name)), title_justify="left")
    metrics = dict.fromkeys([comparison.metric, DEAD_NEURONS])
    for name in ("differs", "run", *metrics):
        table.add_column(Text(shown(name)))
    captions = fitreel.comparison.captions(comparison)
    for place, (caption, label) in enumerate(zip(captions, comparison.labels, strict=True)):
        cells = [_compared(comparison, name, place) for name in metrics]
        table.add_row(Text(shown(caption)), Text(shown(label)), *cells)
    console = Console(stderr=True)
    console.print(table)
    way = Text(f"look at it: {shown(_way_to_ui(run, uri), 1000)}")
    console.print(way, soft_wrap=True)


def _compared(comparison: "Comparison", metric: str, place: int) -> str:
    value = comparison.runs[place].metrics.get(metric)
    star = " *" if place in comparison.best.get(metric, ()) else ""
    return "" if value is None else f"{value:.6g}{star if metric == comparison.metric else ''}"


def summarise_sweep(results: "Results | None", run: "Run", uri: str) -> None:
    """Print the best trials, how the others ended, and how to see them in the UI."""
    console = Console(stderr=True)
    if results and (best := results.best(BEST)):
        table = Table(title=Text(shown(run.name)), title_justify="left")
        for name in ("trial", *results.names, results.settings.metric):
            table.add_column(Text(name), justify="right")
        for number in best:
            values = [brief(value) for value in results.values(number).values()]
            table.add_row(str(number), *values, f"{results.score(number):.6g}")
        console.print(table)
        say(results.summary)
    console.print(Text(f"look at it: {shown(_way_to_ui(run, uri), 1000)}"), soft_wrap=True)


def show_runs(rows: Iterable[tuple[str, ...]]) -> None:
    """Print runs to standard output, as rows of id, name, experiment, status, age, loss, test_rmse.

    In a pipe nothing is cut off or wrapped.
    """
    table = Table("run", "name", "experiment", "status", "age", "loss", TEST_RMSE, box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


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


def _way_to_ui(run: "Run", uri: str) -> str:
    if uri.startswith(("http://", "https://")):
        host = uri.replace("***@", "").rstrip("/")  # a browser asks who it is
        page = f"{host}/#/experiments/{run.experiment_id}/runs/{run.run_id}"
        return f"{page}?workflowType=machine_learning"  # not the UI for chats, its default
    return f"mlflow ui --backend-store-uri {uri}"
