"""The page of one training: it plays how the network learned, player.html."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fitreel.checks.text import shown
from fitreel.data.dataset import Dataset
from fitreel.pages.curves import MOST_LOSSES
from fitreel.pages.data import (
    dataset_data,
    known_floor,
    loss_name,
    plain_texts,
    training_data,
)
from fitreel.pages.page import Page, packed, write_page
from fitreel.pages.reels import reel_data
from fitreel.pages.whatif import what_if
from fitreel.reel.probes import MOST_ROWS, kind_of
from fitreel.reel.thinning import curve_places
from fitreel.settings import DataSettings, Settings
from fitreel.training.history import History

_CURVE_SCRIPTS = (
    *("network.js", "charts.js", "transport.js", "player.js"),
    *("fit.js", "contributions.js", "loss.js", "dead.js", "neurons.js", "sum.js", "film.js"),
    *("initial.js", "training.js", "whatif.js", "varied.js"),
)
_TABLE_SCRIPTS = (
    *("network.js", "charts.js", "transport.js", "reel.js", "raster.js", "views.js"),
    *("legend.js", "table.js", "loss.js", "metrics.js", "start.js"),
)
SCRIPTS: dict[str, tuple[str, ...]] = {
    "player.html": _CURVE_SCRIPTS,
    "table.html": _TABLE_SCRIPTS,
}
MOST_SHOWN_POINTS = 4000
MOST_FRAMES = 1000
MOST_BYTES = 600_000  # of weights; base64 makes 800,000 of them
MOST_TABLE_BYTES = 900_000  # of predictions; base64 makes 1,200,000 of them


def write_player(
    dataset: Dataset,
    history: History,
    path: Path | str,
    name: str = "",
    noise_floor: float | None = None,
    settings: Sequence[Settings] = (),
    run_id: str = "",
) -> Page:
    """Write player.html: fit, neurons and loss of a training, to play, scrub and read off.

    ``name`` is its title, ``noise_floor`` the least loss that any model can reach, if known;
    ``settings`` are those of the training and of the points, which its header shows and with which
    it trains again; ``run_id`` is a run that has the points. The page serves as its path, and a
    notebook shows it.
    """
    epochs = curve_places(history.curve, MOST_LOSSES)
    title = shown(name)
    known = settings or [each for each in (history.settings, dataset.drawn) if each]
    drawn = next((each for each in known if isinstance(each, DataSettings)), dataset.drawn)
    if noise_floor is None and drawn is not None:
        noise_floor = drawn.noise_floor**2  # a loss is a square
    data: dict[str, Any] = {
        "name": title,
        "noise_floor": known_floor(noise_floor),
        "settings": {name: value for group in known for name, value in vars(group).items()},
        "epochs": packed(epochs, np.float64),
        "loss_name": loss_name(dataset, history),
    }
    if kind_of(dataset) == "curve":
        body = "player.html"
        data |= {
            # The page trains on points as they are: those of a table are scaled first.
            "what_if": what_if(known, run_id) if dataset.scaling is None else None,
            "dataset": dataset_data(dataset, MOST_SHOWN_POINTS),
            "training": training_data(dataset, history, epochs, MOST_FRAMES, MOST_BYTES),
        }
    else:
        body = "table.html"
        data |= {
            "activation": history.frames.activation,
            "hidden": history.frames.shape.hidden,
            "features": len(dataset.features),
            "reel": reel_data(dataset, history, epochs, MOST_FRAMES, MOST_TABLE_BYTES, MOST_ROWS),
        }
    return write_page(
        Path(path), f"{title or 'training'} · fitreel", body, SCRIPTS[body], plain_texts(data)
    )
