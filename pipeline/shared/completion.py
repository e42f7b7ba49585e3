"""The completion of values in a shell: the choices of an option, and the runs of the store."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, get_args, get_origin

import typer

import fitreel.tracking


def choices(kind: Any) -> Callable[[str], list[str]] | None:
    """Return what completes an option of a type; None if its values cannot be listed."""
    if get_origin(kind) is not Literal:
        return None
    return lambda incomplete: [each for each in get_args(kind) if each.startswith(incomplete)]


def complete_run(context: typer.Context, incomplete: str) -> list[str]:
    """Return what a run that is being typed could be; nothing if the store does not answer."""
    # Whatever goes wrong: a message would appear in the middle of the line that is typed.
    with suppress(Exception):
        return fitreel.tracking.complete_run(context.params.get("tracking_uri"), incomplete)
    return []
