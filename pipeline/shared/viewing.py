"""The viewing of a run: its page as a file, its page in MLflow, and opening one in a browser."""

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import platformdirs

from fitreel.checks.files import publish
from fitreel.tracking.names import COMPARISON_PAGE, PLAYER, SWEEP_PAGE
from pipeline.shared import console

if TYPE_CHECKING:
    from fitreel.tracking import Run, Source, Tracker

PAGES = (PLAYER, COMPARISON_PAGE, SWEEP_PAGE)


def ways_to_look(run: "Run", tracker: "Tracker", tracking_uri: str | None) -> dict[str, str]:
    """Return how to look at a run: its page on this disk, if it is there, and in MLflow's UI."""
    source = tracker.source(run.run_id)
    ways = {Path(page).stem: str(path) for page in PAGES if (path := source.local_file(page))}
    if is_server(tracker.uri):
        return ways | {"in MLflow": run_page(tracker.uri, run.experiment_id, run.run_id)}
    store = f" --tracking-uri {tracker.uri}" if tracking_uri else ""
    return ways | {"in MLflow": f"fitreel open {run.run_id} --ui{store}"}


def is_server(uri: str) -> bool:
    """Return whether a tracking URI is that of a server, whose pages a browser shows."""
    return urlsplit(uri).scheme in ("http", "https")


def run_page(server: str, experiment_id: str, run_id: str) -> str:
    """Return the address of a run's page on a server."""
    host = server.replace("***@", "").rstrip("/")  # a browser asks who it is
    page = f"{host}/#/experiments/{experiment_id}/runs/{run_id}"
    return f"{page}?workflowType=machine_learning"  # not the UI for chats, its default


def page_file(source: "Source") -> Path:
    """Return the page of a run as a file of this machine; a page on a server is copied.

    Raises FileNotFoundError if the run has none.
    """
    page = source.first_of(PAGES)
    if page is None:
        raise FileNotFoundError(
            f"run {source.run_id} has no page to open; log one: "
            f"fitreel animate --run {source.run_id}"
        )
    if path := source.local_file(page):
        return path
    # Not a temporary file: the browser may be asked to reload it later.
    folder = platformdirs.user_cache_path("fitreel", ensure_exists=True) / source.run_id
    folder.mkdir(mode=0o700, exist_ok=True)
    with source.page(page) as copy:
        publish(copy, folder)
    return folder / page


def show_in_browser(address: str) -> None:
    """Open an address in the browser that the user prefers, or print it."""
    if not webbrowser.open(address):
        console.say(f"no browser was found; open this address in one: {address}")
