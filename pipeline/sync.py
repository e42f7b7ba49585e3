"""sync: upload what waits in the spool."""

import typer

import fitreel.tracking
from pipeline.shared import console
from pipeline.shared.options import RUN_OR_ALL, TRACKING_URI

UNDELIVERED = 75  # as a mail program ends that will have to try again


def sync(
    run: RUN_OR_ALL = None,
    tracking_uri: TRACKING_URI = None,
) -> None:
    """Upload results that tracking servers missed; exit 75 if a server still does not take them.

    Each result arrives once, however often this is repeated. Exit 2 where retrying is useless: a
    damaged journal, which is uploaded up to the damage, or a deleted run.
    Example: fitreel sync
    """
    if run:
        run = fitreel.tracking.waiting_run(run, tracking_uri or None)
    codes = list[int]()
    for delivered in fitreel.tracking.sync(run, tracking_uri):
        console.say(" ".join(delivered.text.split()))  # a server's message may be a page long
        codes.append((2 if delivered.is_stuck else UNDELIVERED) if delivered.trouble else 0)
    if not codes:
        console.say("nothing to upload")
    # 75 before 2 before 0: as long as one journal waits, another sync makes sense.
    raise typer.Exit(max(codes, default=0))
