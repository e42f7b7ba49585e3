"""The page of a reel: it plays the training of any model, player.html."""

from pathlib import Path
from typing import Any

import numpy as np

from fitreel.checks.text import shown
from fitreel.pages.coarse_grid import on_page_grid
from fitreel.pages.curves import MOST_LOSSES, metrics_data
from fitreel.pages.data import plain_texts
from fitreel.pages.page import Page, packed, write_page
from fitreel.pages.player import MOST_FRAMES, MOST_TABLE_BYTES, SCRIPTS
from fitreel.pages.reels import affordable_frames, recording_data
from fitreel.reel.reel import LOSS, Reel
from fitreel.reel.thinning import curve_places

BODY = "table.html"


def write_reel_player(reel: Reel, path: Path | str, name: str = "") -> Page:
    """Write player.html: what a model predicts, and its losses, to play, scrub and read off.

    The page serves as its path, and a notebook shows it. Raises ValueError if there is no frame.
    """
    title = shown(name)
    data = plain_texts(reel_page_data(reel, title))
    return write_page(Path(path), f"{title or 'training'} · fitreel", BODY, SCRIPTS[BODY], data)


def reel_page_data(reel: Reel, title: str = "") -> dict[str, Any]:
    """Return the data of a reel's page: as many frames as its size allows, thinned curves."""
    # Of one frame: how many of them fit follows from its size on the grid of a page.
    first = on_page_grid(reel.recording(1))
    most = affordable_frames(reel.dataset, first.probes, MOST_TABLE_BYTES)
    recording = on_page_grid(reel.recording(min(MOST_FRAMES, most)))
    steps, losses = reel.curves[LOSS].steps, reel.curves[LOSS].values
    if not len(steps):  # a file may have frames alone, each with its loss
        steps, losses = recording.epochs, recording.losses
    kept = curve_places(losses, MOST_LOSSES)
    metrics = sum(len(curve) > 0 for each, curve in reel.curves.items() if each != LOSS)
    return {
        "name": title,
        "noise_floor": None,
        "settings": {},
        "step_name": recording.step_name,
        "epochs": packed(steps[kept], np.float64),
        "loss_name": LOSS,
        "features": len(reel.dataset.features),
        "frame_count": len(reel.frames),
        "last_step": int(steps[-1]),
        "metric_count": metrics,
        "metrics": metrics_data(reel),
        "reel": recording_data(recording, losses[kept], len(losses)),
    }
