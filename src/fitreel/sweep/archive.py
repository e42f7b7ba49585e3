"""The archive: a copy of a study in a database, for Optuna's own tools and other programs.

The study itself is in memory, and an interrupted one is asked again: in a database every question
would be six transactions.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, create_trial
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import scoped_session, sessionmaker


class Archive:
    """A study in a database: what was told so far, in the order of the trials' numbers."""

    def __init__(self, url: str, directory: Path) -> None:
        """Open the database; the path of an SQLite file counts from ``directory``.

        Raises ConnectionError, as all here does, where the database does not do what it should.
        """
        with _plain_errors():
            place = make_url(url)
            if place.drivername.startswith("sqlite"):
                place = place.set(database=str(directory / (place.database or "")))
            self._storage = RDBStorage(place.render_as_string(hide_password=False))

    def begin(self, name: str, direction: StudyDirection) -> None:
        """Begin a study of this name, or go on with it."""
        with _plain_errors():
            self._study = optuna.create_study(
                storage=self._storage, study_name=name, direction=direction, load_if_exists=True
            )
            self._count = len(self._study.get_trials(deepcopy=False))

    def extend(self, trials: Sequence[FrozenTrial]) -> None:
        """Add those trials of all that were told which are not there yet."""
        with _plain_errors(), self._one_transaction():
            for trial in trials[self._count :]:
                # Without what its sampler remembers, which may be a pickle.
                self._study.add_trial(
                    create_trial(
                        state=trial.state,
                        value=trial.value,
                        params=trial.params,
                        distributions=trial.distributions,
                        intermediate_values=trial.intermediate_values,
                    )
                )
        self._count = max(self._count, len(trials))

    @contextmanager
    def _one_transaction(self) -> Iterator[None]:
        """Commit once a batch what Optuna would commit once a trial."""
        own = self._storage.scoped_session
        with self._storage.engine.begin() as connection:
            joined = sessionmaker(connection, join_transaction_mode="rollback_only")
            self._storage.scoped_session = scoped_session(joined)
            try:
                yield
            finally:
                self._storage.scoped_session.remove()
                self._storage.scoped_session = own


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, ImportError, StorageInternalError) as error:
        cause = error.__cause__ or error
        what = str(cause).partition("\n")[0]
        raise ConnectionError(f"the study cannot be kept: {what}") from error
