"""Own data: the table of a command, fetched and read before a run is created."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import fitreel.data
import fitreel.tracking
from fitreel.journal.spool import scratch
from fitreel.settings import DataSettings, TableSettings
from pipeline.shared import console
from pipeline.shared.session import Session

if TYPE_CHECKING:
    from fitreel.data.dataset import Dataset
    from fitreel.data.table.reading import Table


class OwnData:
    """A table as the options name it; it is fetched and read when it is first asked for."""

    def __init__(self, settings: TableSettings, seed: int, folder: Path) -> None:
        self.settings = settings
        self._seed = seed
        self._folder = folder

    @property
    def addresses(self) -> dict[str, str]:
        """Where the rows are, and the test rows if they are in a file of their own."""
        named = {"table": self.settings.data, "test": self.settings.test}
        return {
            name: fitreel.data.absolute_address(address)
            for name, address in named.items()
            if address
        }

    @cached_property
    def files(self) -> list[Path]:
        """The file of rows, and that of the test rows if it is one of its own."""
        return [fitreel.tracking.fetch(each, self._folder) for each in self.addresses.values()]

    @cached_property
    def table(self) -> "Table":
        """The rows, split; what was chosen for them is printed."""
        file, *test = self.files
        table = fitreel.data.read_table(file, self.settings, self._seed, *test)
        for remark in table.remarks:
            console.say(remark)
        return table


@contextmanager
def own_data(
    table: TableSettings, data: DataSettings, session: Session
) -> Iterator[OwnData | None]:
    """Yield the table of a command; None if it draws points."""
    if not table:
        yield None
        return
    with scratch() as folder:
        opened = OwnData(table, data.data_seed, folder)
        # A resumed command has mostly read it, and the file may be gone since.
        if session.is_new:
            _ = opened.table  # what cannot be read creates no run
        yield opened


def rows_of(opened: OwnData | None) -> "Dataset | None":
    """Return the rows of a table that was read; None where points are drawn."""
    return opened.table.dataset if opened else None
