"""generate: draw the points of an experiment, or read its table."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import fitreel.data
import fitreel.pictures
from fitreel.settings import DataSettings, TableSettings
from fitreel.tracking.names import (
    DATA,
    DATASET,
    DATASET_FILE,
    PROFILE_FILE,
    SCATTER,
    SCATTER_FILE,
    TABLE,
    TABLE_FILE,
)
from pipeline.shared.own_data import OwnData, own_data
from pipeline.shared.session import Session
from pipeline.shared.stage import stage

if TYPE_CHECKING:
    from fitreel.data.dataset import Dataset
    from fitreel.data.table.kept import KeptTable
    from fitreel.tracking import Run, Source

FILES = (DATASET, SCATTER, TABLE)


def generate(data: DataSettings, table: TableSettings, session: Session) -> None:
    """Draw the points of an experiment, or read a table, and log them (to a new run or to --run).

    Example: fitreel generate --function sine --noise 0.1
    """
    # First: a table that cannot be read creates neither a store nor a run.
    with own_data(table, data, session) as opened:
        source = session.source_or_none()
        into = session.into(source)
        if session.is_new and into and into.has_dataset:
            raise ValueError(f"run {into.run_id} has points already; leave out --run")
        session.check_free(source, "generate", FILES)
        with session.run(source) as run:
            run.set_name(table.label if table else data.label)
            make_dataset(run, data, opened)


@stage("generate", restore=lambda run: run.dataset())
def make_dataset(run: "Run", data: DataSettings, opened: "OwnData | None" = None) -> "Dataset":
    """Draw the points, or read the table, and log them."""
    if opened:
        record_new(run, data, opened)
        return opened.table.dataset
    dataset = fitreel.data.generate(data)
    record(run, dataset, data)
    return dataset


def record_new(run: "Run", data: DataSettings, opened: "OwnData") -> None:
    """Log a table as it was used, how it was read, and a picture of it."""
    dataset, most = opened.table.dataset, int(opened.settings.keep_data_mb * 1e6)
    files = dict(zip(opened.addresses, opened.files, strict=True))
    parts = {"training": dataset, "validation": dataset.validation, "test": dataset.test}
    rows = {name: len(part) for name, part in parts.items() if part}

    def keep(folder: Path) -> "KeptTable":
        kept = fitreel.data.keep_files(folder, files, opened.addresses, most)
        return fitreel.data.KeptTable(kept, opened.table.schema, rows)

    record_table(run, opened.settings, data.data_seed, dataset, keep)


def record_table(
    run: "Run",
    settings: TableSettings,
    seed: int,
    dataset: "Dataset",
    keep: "Callable[[Path], KeptTable]",
) -> None:
    """Log a table; ``keep`` copies its files into a folder and returns the record of them."""
    run.log_settings(settings, leave_out=settings.unset())
    run.log_params({"data_seed": str(seed)})
    with run.artifacts(DATA) as folder:
        run.log_table(keep(folder), folder / TABLE_FILE, settings.label)
        fitreel.pictures.draw_profile(dataset).savefig(folder / PROFILE_FILE)


def record(run: "Run", dataset: "Dataset", data: DataSettings | None) -> None:
    """Log points, and the settings that drew them if those are known."""
    if data:
        run.log_settings(data)
    with run.artifacts(DATA) as folder:
        fitreel.data.save_dataset(dataset, folder / DATASET_FILE)
        fitreel.pictures.scatter(dataset).savefig(folder / SCATTER_FILE)
        run.log_dataset(folder / DATASET_FILE, data.function if data else "points")


def record_again(run: "Run", source: "Source") -> None:
    """Log the points or the table of another run."""
    settings = source.table_settings()
    if settings is None:
        record(run, source.dataset(), source.data_settings())
        return
    with source.table() as (kept, files):

        def keep(folder: Path) -> "KeptTable":
            for each, file in zip(kept.files, files, strict=True):
                if each.name:  # a larger one stays at its address
                    shutil.copy(file, folder / each.name)
            return kept

        record_table(run, settings, source.data_seed, source.dataset(), keep)


def record_changed(
    run: "Run", source: "Source", context: Literal["training", "evaluation"]
) -> None:
    """Log a source's points, changed since it logged them, byte for byte."""
    with source.points() as file, run.artifacts(DATA) as folder:
        # Not save_dataset: other bytes of equal numbers would have another SHA-256.
        shutil.copy(file, folder / DATASET_FILE)
        fitreel.pictures.scatter(source.dataset()).savefig(folder / SCATTER_FILE)
        run.log_dataset(folder / DATASET_FILE, "points", context)
