"""generate: draw the points of an experiment."""

import shutil
from typing import TYPE_CHECKING, Literal

import fitreel.data
import fitreel.pictures
from fitreel.settings import DataSettings
from fitreel.tracking.names import DATA, DATASET, DATASET_FILE, SCATTER, SCATTER_FILE
from pipeline.shared.session import Session

if TYPE_CHECKING:
    from fitreel.data.dataset import Dataset
    from fitreel.tracking import Run, Source

FILES = (DATASET, SCATTER)


def generate(data: DataSettings, session: Session) -> None:
    """Draw the points of an experiment and log them, to a new run if none is named.

    Example: fitreel generate --function sine --noise 0.1
    """
    source = session.source_or_none()
    into = session.into(source)
    if session.is_new and into and into.has_dataset:
        raise ValueError(f"run {into.run_id} has its points already; leave --run out")
    session.check_free(source, "generate", FILES)
    with session.run(source) as run:
        run.set_name(data.label)
        stage(run, data)


def stage(run: "Run", data: DataSettings) -> "Dataset":
    """Draw the points and log them."""
    if run.has_done("generate"):
        return run.dataset()
    with run.stage("generate"):
        dataset = fitreel.data.generate(data)
        record(run, dataset, data)
    return dataset


def record(run: "Run", dataset: "Dataset", data: DataSettings | None) -> None:
    """Log points and how they were drawn, where that is known."""
    if data:
        run.log_settings(data)
    with run.artifacts(DATA) as folder:
        fitreel.data.save_dataset(dataset, folder / DATASET_FILE)
        fitreel.pictures.scatter(dataset).savefig(folder / SCATTER_FILE)
        run.log_dataset(folder / DATASET_FILE, data.function if data else "points")


def record_changed(
    run: "Run", source: "Source", context: Literal["training", "evaluation"]
) -> None:
    """Log points of a source that were changed since it logged them, byte for byte."""
    with source.points() as file, run.artifacts(DATA) as folder:
        shutil.copy(file, folder / DATASET_FILE)
        fitreel.pictures.scatter(source.dataset()).savefig(folder / SCATTER_FILE)
        run.log_dataset(folder / DATASET_FILE, "points", context)
