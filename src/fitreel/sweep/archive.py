"""The archive: a copy of a study in a file or a database, for Optuna's own tools.

The study itself stays in memory, and a resumed sweep asks it the same again. Asked in a database,
each trial would take six transactions and 25 ms.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy.exc import SQLAlchemyError

from fitreel.checks.databases import read_url, remedy
from fitreel.checks.urls import masked, scrubbed
from fitreel.journal.signals import held
from fitreel.settings.sweep import is_database
from fitreel.sweep.optuna_journal import drop_torn_line, lock


class Archive:
    """A stored study: the results reported so far, in the order of the trials' numbers."""

    def __init__(self, storage: str, directory: Path) -> None:
        """Open the file or the database; a relative path is relative to ``directory``.

        Raises ConnectionError, as all methods do, if the storage cannot be used.
        """
        self._name = storage
        with self._plain_errors():
            self._storage = _open(storage, directory)

    def begin(self, name: str, direction: StudyDirection) -> None:
        """Create a study of this name, or open the one that exists."""
        with self._plain_errors():
            self._study = optuna.create_study(
                storage=self._storage, study_name=name, direction=direction, load_if_exists=True
            )
            # A resumed sweep reports all its trials again; those that are stored already are
            # skipped.
            self._count = len(self._study.get_trials(deepcopy=False))

    def extend(self, trials: Sequence[FrozenTrial]) -> None:
        """Add those of all reported trials that are not stored yet."""
        with self._plain_errors():
            for trial in trials[self._count :]:
                with held():  # an interruption would leave the journal's lock behind
                    self._study.add_trial(_without_sampler_state(trial))
                self._count += 1

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        # RuntimeError: another process took the lock of a journal, KeyError: a line lacks a key.
        except (
            *(SQLAlchemyError, ImportError, StorageInternalError),
            *(ValueError, OSError, RuntimeError, KeyError),
        ) as error:
            # Optuna wraps the database's error, which alone says what is wrong.
            cause = error.__cause__ or error
            what = str(cause)
            if isinstance(cause, ModuleNotFoundError):
                what = f"{masked(self._name)} {remedy(cause)}"
            reason = scrubbed(what.partition("\n")[0], self._name)
            raise ConnectionError(
                f"the study cannot be stored: {reason}; choose another --storage"
            ) from error


def _open(storage: str, directory: Path) -> BaseStorage:
    if is_database(storage):
        url = read_url(storage)
        if url.drivername.startswith("sqlite"):
            url = url.set(database=str(directory / (url.database or "")))
        # SQLAlchemy hides a password by default; here it is needed.
        return RDBStorage(url.render_as_string(hide_password=False))
    path = directory / storage
    drop_torn_line(path)
    return JournalStorage(JournalFileBackend(str(path), lock(path)))


def _without_sampler_state(trial: FrozenTrial) -> FrozenTrial:
    """Return a copy without what its sampler remembers, which may be a pickle."""
    bare = copy.copy(trial)
    bare.system_attrs = {}
    return bare
