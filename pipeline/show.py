"""show: what the store knows of a run: settings, metrics, files."""

import json
import math
from typing import TYPE_CHECKING, Any

import fitreel.tracking
from pipeline.shared import console
from pipeline.shared.options import JSON, RUN, TRACKING_URI

if TYPE_CHECKING:
    from fitreel.tracking import Source


def show(run: RUN, as_json: JSON = False, tracking_uri: TRACKING_URI = None) -> None:
    """Show the settings, metrics and files of a run.

    Example: fitreel show latest
    """
    tracker = fitreel.tracking.Tracker(tracking_uri or None, may_create=False)
    found = described(tracker.source(run))
    if as_json:
        print(json.dumps(found, allow_nan=False))
    else:
        console.show_run(found)


def described(source: "Source") -> dict[str, Any]:
    """Return a run as JSON has it; a metric that is not finite is null."""
    return {
        "run_id": source.run_id,
        "name": source.name,
        "experiment_id": source.experiment_id,
        "status": source.status,
        "params": dict(sorted(source.params_in_force.items())),
        "metrics": {
            name: value if math.isfinite(value) else None
            for name, value in sorted(source.metrics.items())
        },
        "files": source.files(),
    }
