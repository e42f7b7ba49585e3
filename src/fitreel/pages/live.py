"""The page of a training that runs: it asks its server for what is new."""

from functools import cache

from fitreel.pages.page import page_text

SCRIPTS = (
    *("network.js", "charts.js", "transport.js", "reel.js", "raster.js", "views.js", "legend.js"),
    *("growing.js", "live_loss.js", "live.js"),
)


@cache
def live_page() -> str:
    """Return the page as HTML; what it shows comes from the address ``events`` beside it."""
    return page_text("training · fitreel", "live.html", SCRIPTS, {}, asks_server=True)
