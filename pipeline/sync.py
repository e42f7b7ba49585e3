"""sync: upload what waits in the spool."""

from typing import TYPE_CHECKING

import typer

import fitreel.tracking
from pipeline.shared import console
from pipeline.shared.options import JSON, RUN_OR_ALL, TRACKING_URI
from pipeline.shared.result import print_json

if TYPE_CHECKING:
    from fitreel.tracking.recovery import Delivered

UNDELIVERED = 75  # as a mail program ends that will have to try again


def sync(
    run: RUN_OR_ALL = None,
    as_json: JSON = False,
    tracking_uri: TRACKING_URI = None,
) -> None:
    """Upload results that tracking servers missed; exit 75 if a server still does not take them.

    Each result arrives once, however often this is repeated. Exit 2 where retrying is useless: a
    damaged journal, which is uploaded up to the damage, or a deleted run.
    Example: fitreel sync
    """
    if run:
        run = fitreel.tracking.waiting_run(run, tracking_uri or None)
    codes, found = list[int](), list[dict[str, object]]()
    for delivered in fitreel.tracking.sync(run, tracking_uri):
        console.say(" ".join(delivered.text.split()))  # a server's message may be a page long
        found.append(described(delivered))
        codes.append((2 if delivered.is_stuck else UNDELIVERED) if delivered.trouble else 0)
    if as_json:
        print_json({"journals": found})
    if not codes:
        console.say("nothing to upload")
    # 75 before 2 before 0: as long as one journal waits, another sync makes sense.
    raise typer.Exit(max(codes, default=0))


def described(delivered: "Delivered") -> dict[str, object]:
    """Return what became of a journal as JSON has it; ``trouble`` is null if the store has it."""
    trouble = None if delivered.trouble is None else " ".join(str(delivered.trouble).split())
    return {
        "run_id": delivered.run_id,
        "journal": delivered.entry.directory,
        "resumable": not delivered.entry.is_over,
        "trouble": trouble,
    }
