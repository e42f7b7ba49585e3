"""The loading of a table in a script or a notebook."""

from pathlib import Path
from typing import Any

from fitreel.data.dataset import Dataset
from fitreel.data.table.reading import read_table
from fitreel.settings import TableSettings, with_keywords


def load_table(file: Path | str, target: str, *, seed: int = 0, **keywords: Any) -> Dataset:
    """Read the rows of a CSV, TSV or Parquet file, to predict the column ``target``.

    Rows are held out by ``seed``: see the dataset's ``test`` and ``validation``. Keywords are other
    settings of TableSettings, as in ``features="age,bmi"``; so are the defaults. Raises ValueError
    or OSError, in one line, for a file, a column or a cell that cannot be used, TypeError for an
    unknown name.
    """
    settings = TableSettings(data=str(file), target=target)
    settings = with_keywords(TableSettings, settings, keywords, "load_table")
    test_file = Path(settings.test) if settings.test else None
    return read_table(Path(file), settings, seed, test_file).dataset
