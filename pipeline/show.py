"""show: what the store knows of a run: settings, metrics, files."""

import fitreel.tracking
from pipeline.shared import console
from pipeline.shared.options import JSON, RUN, TRACKING_URI
from pipeline.shared.result import described, print_json


def show(run: RUN, as_json: JSON = False, tracking_uri: TRACKING_URI = None) -> None:
    """Show the settings, metrics and files of a run.

    Example: fitreel show latest
    """
    tracker = fitreel.tracking.Tracker(tracking_uri or None, may_create=False)
    found = described(tracker.source(run))
    if as_json:
        print_json(found)
    else:
        console.show_run(found)
