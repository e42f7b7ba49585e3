"""reap: close the runs whose process died."""

from typing import Annotated

import typer

import fitreel.tracking
from fitreel.checks.text import shown
from pipeline.shared import console
from pipeline.shared.options import JSON, MINUTES, TRACKING_URI
from pipeline.shared.result import print_json

LONGEST_REASON = 300  # characters


def reap(
    close: Annotated[
        bool, typer.Option("--close", help="Close them (default: only list them).")
    ] = False,
    older_than: MINUTES = 60.0,
    as_json: JSON = False,
    tracking_uri: TRACKING_URI = None,
) -> None:
    """Find runs that say RUNNING although their process died; with --close, close them.

    Example: fitreel reap
    """
    if not older_than >= 0:
        raise ValueError(f"older_than must be 0 or more minutes; got {older_than}")
    tracker = fitreel.tracking.Tracker(
        tracking_uri, may_create=False, patience=fitreel.tracking.Patience(report=console.warn)
    )
    dead, found = 0, list[dict[str, str]]()
    for verdict in fitreel.tracking.examine(tracker, older_than * 60):
        outcome = "left"
        if verdict.status and not close:
            outcome = f"would be {verdict.status}"
        elif verdict.status:
            outcome = (
                f"now {verdict.status}" if fitreel.tracking.reap(tracker, verdict) else "just ended"
            )
        dead += verdict.status is not None
        # Others wrote name and host: each is cut, so that it cannot imitate the rest of the line.
        name, reason = shown(verdict.name), shown(verdict.reason, LONGEST_REASON)
        console.say(f"{verdict.run_id} {name}: {outcome}: {reason}")
        found.append({"run_id": verdict.run_id, "name": name, "outcome": outcome, "reason": reason})
    if as_json:
        print_json({"runs": found})
    if dead and not close:
        console.say("nothing was changed; close them with fitreel reap --close")
    if not dead:
        console.say("no run to close")
