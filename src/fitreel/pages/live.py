"""The page of a training that runs: it asks its server for what is new."""

from functools import cache

from fitreel.pages.page import page_text
from fitreel.pages.player import SCRIPTS

_OWN = ("growing.js", "live_loss.js", "live.js")


@cache
def live_page() -> str:
    """Return the page as HTML; what it shows comes from the address ``events`` beside it."""
    shared = [
        name for name in SCRIPTS["table.html"] if name not in ("table.js", "loss.js", "start.js")
    ]
    return page_text("training · fitreel", "live.html", [*shared, *_OWN], {}, asks_server=True)
