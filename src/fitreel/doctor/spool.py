"""Checks of the spool: whether it can be written, and which journals wait in it."""

import shutil

from fitreel.doctor.finding import Finding
from fitreel.journal import spool

SHOWN = 3  # runs named in one line of text


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


def check_waiting() -> Finding:
    """Count the journals that wait to be delivered or resumed."""
    found = _sort_journals()
    parts = []
    if runs := found["over"]:
        parts.append(f"{len(runs)} not delivered: fitreel sync")
    if runs := found["interrupted"]:
        named = ", ".join(runs[:SHOWN]) + (", …" if len(runs) > SHOWN else "")
        parts.append(f"{len(runs)} interrupted, resume with fitreel resume: {named}")
    if runs := found["unreadable"]:
        parts.append(f"{len(runs)} that cannot be read: fitreel sync shows why")
    fine = not parts
    if runs := found["running"]:
        parts.append(f"{len(runs)} of running commands")
    return Finding(fine, "; ".join(parts) or "nothing to upload")


def _sort_journals() -> dict[str, list[str]]:
    """Return the runs, or the names, of all journals by their state."""
    found: dict[str, list[str]] = {"running": [], "over": [], "interrupted": [], "unreadable": []}
    for listed in spool.entries():
        name = listed.run_id or listed.directory.name
        try:
            journal, entry = spool.opened(listed.directory)
        except FileNotFoundError:  # delivered since it was listed
            continue
        except BlockingIOError:  # before OSError, of which it is a kind
            found["running"].append(name)
        except OSError:
            found["unreadable"].append(name)
        else:
            journal.close()
            found["over" if entry.is_over else "interrupted"].append(name)
    return found
