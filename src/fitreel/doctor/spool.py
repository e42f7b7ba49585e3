"""Checks of the spool: whether it can be written, and which journals wait in it."""

import shutil
from collections.abc import Sequence

from fitreel.doctor.finding import Finding
from fitreel.journal import spool
from fitreel.journal.backlog import Waiting, backlog

SHOWN = 3  # runs named in one line of text
STATES = {
    "over": "not delivered, upload with fitreel sync",
    "interrupted": "interrupted, resume with fitreel resume",
    "unreadable": "that cannot be read, see fitreel sync",
}


def check_spool() -> Finding:
    """Write a journal into the spool and remove it."""
    journal = spool.new_journal()
    try:
        journal.append("checkup")
        journal.flush()
    finally:
        journal.remove()
    free = shutil.disk_usage(spool.directory()).free
    return Finding(True, f"{spool.directory()}: {free / 1e9:.1f} GB free")


def check_waiting(uri: str | None = None) -> Finding:
    """Count the journals that wait to be delivered or resumed, those of one store if it is named.

    ``uri`` is absolute, as journals have it.
    """
    every = list(backlog())
    found = [each for each in every if each.belongs_to(uri)]
    parts = [
        f"{len(these)} {what}: {_listed(these)}"
        for state, what in STATES.items()
        if (these := [each for each in found if each.state == state])
    ]
    others = len([each for each in every if each not in found and each.state != "running"])
    fine = not parts and not others
    if others:
        parts.append(f"{others} of other stores: fitreel doctor --all")
    if running := len([each for each in found if each.state == "running"]):
        parts.append(f"{running} of running commands")
    return Finding(fine, "; ".join(parts) or "nothing to upload")


def _listed(waiting: Sequence[Waiting]) -> str:
    shown = [f"{each.name} ({each.origin})" if each.origin else each.name for each in waiting]
    return ", ".join(shown[:SHOWN]) + (", …" if len(shown) > SHOWN else "")
