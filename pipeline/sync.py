"""sync: deliver what waits in the spool."""

import typer

import fitreel.tracking
from pipeline.shared import console
from pipeline.shared.options import RUN_OR_ALL, TRACKING_URI

UNDELIVERED = 75  # as a mail program ends that will have to try again


def sync(
    run: RUN_OR_ALL = None,
    tracking_uri: TRACKING_URI = None,
) -> None:
    """Deliver what tracking stores have missed; exit 75 while one still does not take it.

    Each result arrives once, however often this is tried. Exit 2 where trying again is in vain:
    a damaged journal, of which all before the damage is delivered, or a run that is deleted.
    Example: fitreel sync
    """
    codes = list[int]()
    for delivered in fitreel.tracking.sync(run, tracking_uri):
        console.say(" ".join(delivered.text.split()))  # a server may say a page
        codes.append((2 if delivered.is_stuck else UNDELIVERED) if delivered.trouble else 0)
    if not codes:
        console.say("nothing waits")
    raise typer.Exit(max(codes, default=0))
