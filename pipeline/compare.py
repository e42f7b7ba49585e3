"""compare: several runs in one picture, in step."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import fitreel.comparison
import fitreel.pages
import fitreel.tracking
from fitreel.checks.files import publish
from fitreel.checks.text import code_span, shown
from fitreel.settings import MOST_RUNS, ComparisonSettings
from fitreel.tracking.names import (
    COMPARED_TAG,
    COMPARISON_FILM,
    COMPARISON_PAGE,
    COMPARISON_PICTURE,
    COMPARISON_TABLE,
    KIND_TAG,
)
from pipeline.shared import console
from pipeline.shared.note import picture, way
from pipeline.shared.options import (
    BEST,
    FILTER,
    METRIC,
    NAME,
    OUT,
    PATIENCE,
    RUNS,
    RUNS_AS_TEXT,
    SEARCHED,
    TRACKING_URI,
)
from pipeline.shared.session import Session, Target

if TYPE_CHECKING:
    from fitreel.comparison.runs import Comparison
    from fitreel.tracking import Run, Tracker
    from fitreel.tracking.finder import Found

FILES = (COMPARISON_PAGE, COMPARISON_FILM, COMPARISON_PICTURE, COMPARISON_TABLE)
LEFT_OUT = 10  # shown on the terminal
LONGEST_NOTE = 7000  # characters; MLflow cuts a note at 8000


def compare(
    run: RUNS = None,
    runs: RUNS_AS_TEXT = None,
    best: BEST = ComparisonSettings.best,
    metric: METRIC = ComparisonSettings.metric,
    filter: FILTER = None,  # noqa: A002
    out: OUT = None,
    experiment: SEARCHED = None,
    name: NAME = None,
    tracking_uri: TRACKING_URI = None,
    patience: PATIENCE = Target.patience,
) -> None:
    """Compare runs: those named, or the best of an experiment; into a run of its own.

    Example: fitreel compare --experiment rates --best 4
    """
    settings = ComparisonSettings(best, metric)
    ids = list(dict.fromkeys([*(run or []), *(runs or "").split()]))
    if ids and (filter or best != ComparisonSettings.best):
        raise ValueError("--best and --filter search for runs; leave them out where runs are named")
    if len(ids) > MOST_RUNS:
        raise ValueError(f"{MOST_RUNS} runs are the most that can be compared; got {len(ids)}")
    target = Target(None, experiment if ids else None, name, tracking_uri, patience)
    session = Session(target)
    session.check_free(None, "compare", FILES)
    if out and Path(out).exists() and not Path(out).is_dir():
        raise ValueError(f"--out must be a directory; {shown(out)} is a file")
    if ids:
        found = named(session.tracker, ids)
        home = next(iter(found.experiments.values()))
        asked = {"metric": metric}
    else:
        home = session.tracker.find_experiment(experiment)
        found = best_of(session.tracker, home, settings, filter)
        asked = {"metric": metric, "best": str(best)} | ({"filter": filter} if filter else {})
    show_left_out(found)
    comparison = fitreel.comparison.compare(found.runs, metric)
    directory = made(out) if out else None
    describe = partial(note, comparison, found)
    summarise = partial(console.summarise_comparison, comparison)
    with session.run(None, home, describe, summarise) as into:
        into.set_name(f"compare-{len(found.runs)}-runs")
        into.log_params(asked)
        stage(into, comparison, directory)


def named(tracker: "Tracker", ids: list[str]) -> "Found":
    """Read the runs that were named."""
    with console.progress("read", len(ids)) as progress:
        return fitreel.tracking.named_runs(tracker, ids, progress)


def best_of(
    tracker: "Tracker", experiment_id: str, settings: ComparisonSettings, filter_text: str | None
) -> "Found":
    """Read the best runs of an experiment."""
    with console.progress("read", settings.best) as progress:
        return fitreel.tracking.best_runs(
            tracker, experiment_id, settings.best, settings.metric, filter_text, progress
        )


def show_left_out(found: "Found") -> None:
    """Name the runs that cannot be compared, and why; and those whose points are new to them."""
    for name in found.changed:
        console.warn(
            f"the points of {shown(name)} changed after its training: they are shown as they are"
        )
    for each in found.left_out[:LEFT_OUT]:
        console.say(shown(f"left out: {shown(each.name)}: {' '.join(each.why.split())}", 500))
    if (more := len(found.left_out) - LEFT_OUT) > 0:
        console.say(f"left out: and {more} more")


def made(directory: str) -> Path:
    """Make a directory, unless it is there."""
    path = Path(directory)
    path.mkdir(parents=True, exist_ok=True)
    return path


def stage(run: "Run", comparison: "Comparison", directory: Path | None) -> None:
    """Draw the comparison, log it, and lay it into a directory, too."""
    ids = [each.run_id for each in comparison.runs]
    run.set_tags({KIND_TAG: "comparison", COMPARED_TAG: json.dumps(ids)})
    with run.stage("compare"), run.artifacts() as folder:
        fitreel.comparison.draw_comparison(comparison).savefig(folder / COMPARISON_PICTURE)
        fitreel.pages.write_comparison(comparison, folder / COMPARISON_PAGE)
        table = fitreel.comparison.comparison_table(comparison)
        (folder / COMPARISON_TABLE).write_text(table, encoding="utf-8")
        with console.progress("compare", fitreel.comparison.count_frames(comparison)) as progress:
            fitreel.comparison.render_grid(comparison, folder / COMPARISON_FILM, on_frame=progress)
        if directory:
            for file in sorted(folder.iterdir()):
                publish(file, directory)


def note(comparison: "Comparison", found: "Found", run: "Run") -> str:
    """Write which runs were compared, each a link, and show the pictures, in Markdown."""
    rows = [f"|run&emsp;|{code_span(comparison.metric)}&emsp;|", "|---|---|"]
    for place, each in enumerate(comparison.runs):
        name = code_span(shown(comparison.labels[place], 60))
        link = f"#/experiments/{found.experiments[each.run_id]}/runs/{each.run_id}"
        row = f"|[{name}]({link})&emsp;|{_main_metric(comparison, place)}&emsp;|"
        if sum(map(len, rows)) + len(row) > LONGEST_NOTE:
            rows.append(f"|and {len(comparison.runs) - place} more, in compare.md&emsp;||")
            break
        rows.append(row)
    # A wider picture would push the rest of MLflow's page away.
    film = [picture(run, COMPARISON_FILM)] if fitreel.comparison.is_narrow(comparison) else []
    ways = ", ".join(way(run, file) for file in FILES)
    return "\n\n".join(["\n".join(rows), "&nbsp;", *film, f"Look at {ways}"])


def _main_metric(comparison: "Comparison", place: int) -> str:
    value = comparison.runs[place].metrics.get(comparison.metric)
    if value is None:
        return ""
    best = place in comparison.best.get(comparison.metric, ())
    return f"**{value:.4g}**" if best else f"{value:.4g}"
