"""The files of a film in a run: made from its reel, which `sync` reads from a journal."""

import csv
from pathlib import Path

import numpy as np
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

import fitreel
from fitreel.journal.filming import add_records
from fitreel.journal.journal import Journal
from fitreel.reel.files import load_rows, save_reel, save_rows
from fitreel.reel.reel import Reel
from fitreel.settings import parse
from fitreel.tracking.film_note import film_note
from fitreel.tracking.names import (
    DATA,
    LOG_IMAGES_TAG,
    PLAYER,
    PREDICTIONS,
    REEL,
    REEL_FILE,
    ROWS,
    ROWS_FILE,
    TRAINING,
    film_path,
)
from fitreel.tracking.run import Run
from fitreel.tracking.step_images import log_step_images

MOST_LISTED = 10_000  # rows of predictions.csv


def log_rows(run: Run, reel: Reel, name: str) -> None:
    """Log the rows and the probes, at the start: `sync` needs them to make the film."""
    with run.artifacts(DATA) as folder:
        save_rows(reel.dataset, reel.probes, folder / ROWS_FILE)
    run.log_dataset(folder / ROWS_FILE, name)


def log_film(run: Run, reel: Reel, *, with_note: bool) -> None:
    """Log the reel, and film, player and last predictions if it has a frame; and the note."""
    if reel.frames:
        with run.artifacts() as folder:
            fitreel.render_reel(reel, folder / film_path("gif"))
            fitreel.write_reel_player(reel, folder / PLAYER, run.name)
            save_predictions(reel, folder / PREDICTIONS)
        if images := parse(run.tags.get(LOG_IMAGES_TAG, "0"), int):
            log_step_images(run, reel.recording(images))
    if with_note:
        run.set_note(film_note(run, reel))
    # Last: its record says that the film is done.
    with run.artifacts(TRAINING) as folder:
        save_reel(reel, folder / REEL_FILE)


def save_predictions(reel: Reel, path: Path) -> None:
    """Write the probes and the predictions of the last frame as CSV."""
    dataset, found = reel.dataset, reel.frames[-1].predictions[:MOST_LISTED]
    inputs = reel.probes.inputs[:MOST_LISTED].numpy()
    heads = [f"probability {name}" for name in dataset.classes] or ["prediction"]
    columns = np.column_stack([inputs, found])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*dataset.features, *heads])
        writer.writerows([[f"{number:.9g}" for number in row] for row in columns])


def finish_film(run: Run, journal: Journal) -> None:
    """Make the files of a film whose process died, from the points and frames in its journal."""
    rows = run.artifact(ROWS)
    if rows is None or run.artifact(REEL):
        return
    reel = Reel.of(*load_rows(rows))
    add_records(reel, (record for _, record in journal.records()))
    # By now its owner may have described it.
    log_film(run, reel, with_note=MLFLOW_RUN_NOTE not in run.tags)
