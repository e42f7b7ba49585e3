"""compare: several runs next to each other, in step, in one film and on one page."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import fitreel.comparison
import fitreel.pages
import fitreel.tracking
from fitreel.checks.text import code_span, shortened
from fitreel.settings import MOST_RUNS, ComparisonSettings
from fitreel.settings.metrics import TEST_LOG_LOSS
from fitreel.tracking.names import (
    COMPARED_TAG,
    COMPARISON_FILM,
    COMPARISON_PAGE,
    COMPARISON_PICTURE,
    COMPARISON_TABLE,
    KIND_TAG,
)
from fitreel.tracking.note_parts import picture, way
from pipeline.shared import console
from pipeline.shared.copies import Copies
from pipeline.shared.options import (
    BEST,
    FILTER,
    JSON,
    METRIC,
    NAME,
    OUT,
    PATIENCE,
    RUNS,
    RUNS_AS_TEXT,
    SEARCHED,
    TRACKING_URI,
    WITH_TRIALS,
)
from pipeline.shared.progress import progress
from pipeline.shared.session import Session, Target
from pipeline.shared.stage import nothing, stage

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
    with_trials: WITH_TRIALS = ComparisonSettings.with_trials,
    filter: FILTER = None,  # noqa: A002
    out: OUT = None,
    experiment: SEARCHED = None,
    name: NAME = None,
    as_json: JSON = False,
    tracking_uri: TRACKING_URI = None,
    patience: PATIENCE = Target.patience,
) -> None:
    """Compare runs: those named, or the best of an experiment. The comparison is a run as well.

    Example: fitreel compare --experiment rates --best 4
    """
    settings = ComparisonSettings(best, metric, with_trials)
    ids = list(dict.fromkeys([*(run or []), *(runs or "").split()]))
    check_options(ids, is_search=bool(filter) or best != ComparisonSettings.best)
    # With ids --experiment is where the comparison goes, and may be created; otherwise it is
    # searched, and an experiment that does not exist is an error.
    target = Target(None, experiment if ids else None, name, tracking_uri, patience)
    session = Session(target, as_json=as_json)
    session.check_free(None, "compare", FILES)
    if ids:
        found = named(session.tracker, ids)
        metric = metric_of_named(found, metric)
        home = next(iter(found.experiments.values()))  # the experiment of the first run
        asked = {"metric": metric}
    else:
        home = session.tracker.find_experiment(experiment)
        if metric == ComparisonSettings.metric:
            metric = fitreel.tracking.metric_of_runs(session.tracker, home, filter)
            settings = replace(settings, metric=metric)
        found = best_of(session.tracker, home, settings, filter)
        asked = {"metric": metric, "best": str(best)} | ({"filter": filter} if filter else {})
        asked |= {"with_trials": with_trials} if with_trials == "on" else {}
    show_left_out(found)
    comparison = fitreel.comparison.compare(found.runs, metric)
    # Before the run is opened: a path that cannot be created changes nothing.
    if out:
        session.copies.leave_in(Path(out))
    describe = partial(note, comparison, found)
    summarise = partial(console.summarise_comparison, comparison)
    # Without a plan: a comparison that is interrupted takes seconds to make again.
    with session.run(None, home, describe, summarise) as into:
        into.set_name(f"compare-{len(found.runs)}-runs")
        into.log_params(asked)
        ids = [each.run_id for each in comparison.runs]
        into.set_tags({KIND_TAG: "comparison", COMPARED_TAG: json.dumps(ids)})
        draw_pictures(into, comparison, session.copies)


def check_options(ids: list[str], *, is_search: bool) -> None:
    """Raise ValueError if the options contradict each other."""
    if ids and is_search:
        raise ValueError("--best and --filter search for runs; leave them out if runs are named")
    if len(ids) > MOST_RUNS:
        raise ValueError(f"at most {MOST_RUNS} runs can be compared; got {len(ids)}")


def named(tracker: "Tracker", ids: list[str]) -> "Found":
    """Read the named runs."""
    with progress("read", len(ids)) as show:
        return fitreel.tracking.named_runs(tracker, ids, show)


def metric_of_named(found: "Found", metric: str) -> str:
    """Return the metric, or that of classes if it is the default and only classes are compared."""
    has_numbers = any(metric in run.metrics for run in found.runs)
    has_classes = any(TEST_LOG_LOSS in run.metrics for run in found.runs)
    is_default = metric == ComparisonSettings.metric
    return TEST_LOG_LOSS if is_default and has_classes and not has_numbers else metric


def best_of(
    tracker: "Tracker", experiment_id: str, settings: ComparisonSettings, filter_text: str | None
) -> "Found":
    """Read the best runs of an experiment."""
    with progress("read", settings.best) as show:
        return fitreel.tracking.best_runs(
            tracker,
            experiment_id,
            settings.best,
            settings.metric,
            filter_text,
            show,
            with_trials=settings.with_trials == "on",
        )


def show_left_out(found: "Found") -> None:
    """Print which runs are left out, and why; warn of those whose points changed."""
    for name in found.changed:
        console.warn(
            f"the points of {shortened(name)} changed after its training: "
            "the present ones are shown"
        )
    for each in found.left_out[:LEFT_OUT]:
        console.say(
            shortened(f"left out: {shortened(each.name)}: {' '.join(each.why.split())}", 500)
        )
    if (more := len(found.left_out) - LEFT_OUT) > 0:
        console.say(f"left out: and {more} more")


@stage("compare", restore=nothing)
def draw_pictures(run: "Run", comparison: "Comparison", copies: Copies) -> None:
    """Draw the comparison and log it; leave copies of the files."""
    with run.artifacts() as folder:
        fitreel.comparison.draw_comparison(comparison).savefig(folder / COMPARISON_PICTURE)
        fitreel.pages.write_comparison(comparison, folder / COMPARISON_PAGE)
        table = fitreel.comparison.comparison_table(comparison)
        (folder / COMPARISON_TABLE).write_text(table, encoding="utf-8")
        frames = fitreel.comparison.count_frames(comparison)
        with progress("compare", frames) as show:
            film = folder / COMPARISON_FILM
            fitreel.comparison.render_grid(comparison, film, on_frame=show)
        copies.add(folder)


def note(comparison: "Comparison", found: "Found", run: "Run") -> str:
    """Return the note of a comparison: its runs as links, and its pictures, in Markdown."""
    rows = [f"|run&emsp;|{code_span(comparison.metric)}&emsp;|", "|---|---|"]
    for place, each in enumerate(comparison.runs):
        name = code_span(shortened(comparison.labels[place], 60))
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
