"""What every command does around its stage: connect, open the run, name it, sum it up."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import fitreel
from pipeline import console
from pipeline.note import note
from pipeline.options import Target

if TYPE_CHECKING:
    from fitreel.tracking import Run, Source, Tracker


def connect(target: Target) -> "Tracker":
    """Reach the tracking store that the options name."""
    return fitreel.Tracker(target.tracking_uri or None, target.experiment or None)


@contextmanager
def open_run(tracker: "Tracker", target: Target, source: "Source | None" = None) -> Iterator["Run"]:
    """Open the run to log to; at the end write its note, sum it up, print its id."""
    with tracker.run(source, target.name or None) as run:
        yield run
        summary = run.read()
        run.set_note(note(summary.params, summary.metrics))
    console.summarise(summary, tracker.uri)
    print(run.run_id)
