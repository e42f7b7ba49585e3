"""list: the newest runs of the store, as a table or as JSON."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import fitreel.tracking
from pipeline.shared import console
from pipeline.shared.options import JSON, LIMIT, LISTED, TRACKING_URI
from pipeline.shared.result import print_json

if TYPE_CHECKING:
    from fitreel.tracking.listing import Listed

AGES = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def list_runs(
    experiment: LISTED = None,
    limit: LIMIT = 20,
    as_json: JSON = False,
    tracking_uri: TRACKING_URI = None,
) -> None:
    """List the newest runs, with their final loss and test error; trials of sweeps are left out.

    Example: fitreel list --experiment rates
    """
    tracker = fitreel.tracking.Tracker(tracking_uri or None, may_create=False)
    runs = fitreel.tracking.newest_runs(tracker, experiment, limit)
    if as_json:
        print_json({"runs": [asdict(run) for run in runs]})
    elif runs:
        console.show_runs([row(run, time.time()) for run in runs])
    else:
        console.say(f"no run in {tracker.uri}; create one with fitreel run")


def row(run: "Listed", now: float) -> tuple[str, ...]:
    """Return the cells of a run: id, name, experiment, status, age, final loss, test_rmse."""
    numbers = ("" if value is None else f"{value:.4g}" for value in (run.loss, run.test_rmse))
    return (run.run_id, run.name, run.experiment, run.status, age(now - run.started), *numbers)


def age(seconds: float) -> str:
    """Return how long ago something was, in its largest whole unit, as in 3 h."""
    unit, length = next((each for each in AGES if seconds >= each[1]), AGES[-1])
    return f"{max(0, int(seconds // length))} {unit}"
