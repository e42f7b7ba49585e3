"""generate: draw the points of an experiment."""

import shutil
from typing import TYPE_CHECKING, Literal

import fitreel.data
import fitreel.pictures
from fitreel.settings import DataSettings
from fitreel.tracking.names import DATA, DATASET, DATASET_FILE, SCATTER, SCATTER_FILE
from pipeline.shared.session import Session
from pipeline.shared.stage import stage

if TYPE_CHECKING:
    from fitreel.data.dataset import Dataset
    from fitreel.tracking import Run, Source

FILES = (DATASET, SCATTER)


def generate(data: DataSettings, session: Session) -> None:
    """Draw the points of an experiment and log them (to a new run, unless --run names one).

    Example: fitreel generate --function sine --noise 0.1
    """
    source = session.source_or_none()
    into = session.into(source)
    if session.is_new and into and into.has_dataset:
        raise ValueError(f"run {into.run_id} has points already; leave out --run")
    session.check_free(source, "generate", FILES)
    with session.run(source) as run:
        run.set_name(data.label)
        draw_points(run, data)


@stage("generate", restore=lambda run: run.dataset())
def draw_points(run: "Run", data: DataSettings) -> "Dataset":
    """Draw the points and log them."""
    dataset = fitreel.data.generate(data)
    record(run, dataset, data)
    return dataset


def record(run: "Run", dataset: "Dataset", data: DataSettings | None) -> None:
    """Log points, and the settings that drew them if those are known."""
    if data:
        run.log_settings(data)
    with run.artifacts(DATA) as folder:
        fitreel.data.save_dataset(dataset, folder / DATASET_FILE)
        fitreel.pictures.scatter(dataset).savefig(folder / SCATTER_FILE)
        run.log_dataset(folder / DATASET_FILE, data.function if data else "points")


def record_changed(
    run: "Run", source: "Source", context: Literal["training", "evaluation"]
) -> None:
    """Log a source's points, changed since it logged them, byte for byte."""
    with source.points() as file, run.artifacts(DATA) as folder:
        # Not save_dataset: other bytes of equal numbers would have another SHA-256.
        shutil.copy(file, folder / DATASET_FILE)
        fitreel.pictures.scatter(source.dataset()).savefig(folder / SCATTER_FILE)
        run.log_dataset(folder / DATASET_FILE, "points", context)
