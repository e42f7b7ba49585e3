"""The terminal: progress, weights, the closing table. All on standard error."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from fitreel.text import shown

if TYPE_CHECKING:
    from fitreel.network import Weights
    from fitreel.tracking import Source

STAGES = ("generate", "train", "evaluate", "animate")
ROWS = 50  # neurons shown; weights.csv has them all


def say(text: str) -> None:
    """Print a line to standard error."""
    print(text, file=sys.stderr)


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[..., None]]:
    """Show a progress bar on a terminal, nothing in a pipe; call with what is done."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    columns = (TextColumn("{task.description:>8}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total)
        step = max(1, total // 100)

        def show(done: int, *_: object) -> None:
            if done % step == 0 or done == total:
                bar.update(task, completed=done)

        yield show


def show_weights(weights: "Weights") -> None:
    """Print the hidden neurons as rows, and the output's bias."""
    rows = list(zip(weights.input_weight, weights.bias, weights.output_weight, strict=True))
    say("neuron  input_weight          bias  output_weight")
    for neuron, row in enumerate(rows[:ROWS]):
        say(f"{neuron:6}  {row[0].item():12.6f}  {row[1].item():12.6f}  {row[2].item():13.6f}")
    if len(rows) > ROWS:
        say(f"     … and {len(rows) - ROWS} more in weights.csv")
    say(f"output bias {weights.output_bias.item():.6f}")


def summarise(run: "Source", uri: str) -> None:
    """Print what a run holds: losses, errors, the stages' times, the way to the UI."""
    table = Table(title=Text(shown(run.name)), title_justify="left", show_header=False)
    metrics = {"final loss": "loss"} | {
        name: name for name in ("train_mse", "test_mse", "test_mae", "test_r2", "excess_mse")
    }
    for label, metric in metrics.items():
        if metric in run.metrics:
            table.add_row(label, f"{run.metrics[metric]:.6f}")
    for stage in STAGES:
        if seconds := run.tags.get(f"fitreel.{stage}_seconds"):
            table.add_row(stage, Text(f"{shown(seconds)} s"))
    table.add_row("run", Text(run.run_id))
    table.add_row("look at it", Text(shown(_way_to_ui(run, uri), 1000), overflow="fold"))
    Console(stderr=True).print(table)


def _way_to_ui(run: "Source", uri: str) -> str:
    if uri.startswith(("http://", "https://")):
        page = f"{uri.rstrip('/')}/#/experiments/{run.experiment_id}/runs/{run.run_id}"
        return f"{page}?workflowType=machine_learning"  # not the UI for chats, its default
    return f"mlflow ui --backend-store-uri {uri}"
