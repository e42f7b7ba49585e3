"""open: show a run in the browser, its player or its page in MLflow."""

from typing import TYPE_CHECKING, Annotated

import typer

import fitreel.tracking
from pipeline.shared import console
from pipeline.shared.options import JSON, RUN, TRACKING_URI
from pipeline.shared.result import print_json
from pipeline.shared.viewing import is_server, page_file, run_page, show_in_browser

if TYPE_CHECKING:
    from fitreel.tracking import Source

UI = Annotated[
    bool,
    typer.Option("--ui", help="Open its page in MLflow; a server is started if none is there."),
]


def open_run(
    run: RUN = "latest",
    ui: UI = False,
    as_json: JSON = False,
    tracking_uri: TRACKING_URI = None,
) -> None:
    """Open the player of a run in the browser, or with --ui its page in MLflow.

    A server that this starts is stopped with Ctrl-C.
    Example: fitreel open latest
    """
    tracker = fitreel.tracking.Tracker(tracking_uri or None, may_create=False)
    source = tracker.source(run)
    if not ui:
        show(source, page_file(source).as_uri(), as_json=as_json)
    elif is_server(tracker.uri):
        show(source, _page(tracker.uri, source), as_json=as_json)
    elif found := fitreel.tracking.server_of(source.run_id):
        show(source, _page(found, source), as_json=as_json)
    else:
        uri = fitreel.tracking.store_uri(tracking_uri)
        console.say("starting MLflow's server …")
        with fitreel.tracking.server(uri, source.run_id) as (address, process):
            show(source, _page(address, source), as_json=as_json)
            console.say(f"serving {address} until Ctrl-C")
            process.wait()


def show(source: "Source", address: str, *, as_json: bool) -> None:
    """Open an address in the browser and print it."""
    if as_json:
        print_json({"run_id": source.run_id, "address": address})
    else:
        print(address, flush=True)
    show_in_browser(address)


def _page(server: str, source: "Source") -> str:
    return run_page(server, source.experiment_id, source.run_id)
