"""The page of a training that runs: what is new comes from its server, or a notebook's kernel."""

from functools import cache

from fitreel.pages.page import page_text

_SCRIPTS = (
    *("network.js", "charts.js", "transport.js", "reel.js", "raster.js", "views.js", "legend.js"),
    *("growing.js", "live_loss.js", "live.js"),
)
_TITLE, _BODY = "training · fitreel", "live.html"


@cache
def live_page() -> str:
    """Return the page as HTML; what it shows comes from the address ``events`` beside it."""
    return page_text(_TITLE, _BODY, (*_SCRIPTS, "live_server.js"), {}, asks_server=True)


@cache
def notebook_page() -> str:
    """Return the page as HTML for the frame of a widget, which hands it what it shows."""
    return page_text(_TITLE, _BODY, (*_SCRIPTS, "live_frame.js"), {})
