"""sync: deliver what waits in the spool."""

import os
from typing import Annotated

import typer

import fitreel
from pipeline import console
from pipeline.options import TRACKING_URI


def sync(
    run: Annotated[
        str | None, typer.Argument(help="Id of one run; all that wait if left out.", metavar="RUN")
    ] = None,
    tracking_uri: TRACKING_URI = None,
) -> None:
    """Deliver what tracking stores have missed; exit 75 while one still does not take it.

    Each result arrives once, however often this is tried.
    Example: fitreel sync
    """
    waiting = 0
    for delivered in fitreel.sync(run, tracking_uri):
        console.say(delivered.text)
        waiting += delivered.trouble is not None
    if waiting:
        raise typer.Exit(os.EX_TEMPFAIL)
