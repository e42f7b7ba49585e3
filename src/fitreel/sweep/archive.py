"""The archive: a copy of a study in a database, for Optuna's own tools and other programs.

The study itself is in memory, and an interrupted one is asked again: in a database every question
would be six transactions.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import distribution_to_json
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from fitreel.checks.databases import read_url, remedy
from fitreel.checks.urls import masked, scrubbed


class Archive:
    """A study in a database: what was told so far, in the order of the trials' numbers."""

    def __init__(self, url: str, directory: Path) -> None:
        """Open the database; the path of an SQLite file counts from ``directory``.

        Raises ConnectionError, as all here does, where the database does not do what it should.
        """
        self._url = url
        with self._plain_errors():
            place = read_url(url)
            if place.drivername.startswith("sqlite"):
                place = place.set(database=str(directory / (place.database or "")))
            self._storage = RDBStorage(place.render_as_string(hide_password=False))

    def begin(self, name: str, direction: StudyDirection) -> None:
        """Begin a study of this name, or go on with it."""
        with self._plain_errors():
            self._study = optuna.create_study(
                storage=self._storage, study_name=name, direction=direction, load_if_exists=True
            )
            self._count = len(self._study.get_trials(deepcopy=False))

    def extend(self, trials: Sequence[FrozenTrial]) -> None:
        """Add those trials of all that were told which are not there yet.

        In one transaction, as rows: ``add_trial`` asks a dozen questions a trial, which took half
        of all the time of a sweep. A test holds what is written equal to what it writes.
        """
        with self._plain_errors(), Session(self._storage.engine) as session, session.begin():
            rows = {trial.number: self._row(trial) for trial in trials[self._count :]}
            session.add_all(rows.values())
            session.flush()  # now they have ids
            for trial in trials[self._count :]:
                session.add_all(_details(trial, rows[trial.number].trial_id))
        self._count = max(self._count, len(trials))

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, ImportError, StorageInternalError, ValueError) as error:
            cause = error.__cause__ or error
            what = str(cause)
            if isinstance(cause, ModuleNotFoundError):
                what = f"{masked(self._url)} {remedy(cause)}"
            reason = scrubbed(what.partition("\n")[0], self._url)
            raise ConnectionError(
                f"the study cannot be kept: {reason}; name another place with --storage"
            ) from error

    def _row(self, trial: FrozenTrial) -> models.TrialModel:
        return models.TrialModel(
            study_id=self._study._study_id,
            number=trial.number,
            state=trial.state,
            datetime_start=trial.datetime_start,
            datetime_complete=trial.datetime_complete,
        )


def _details(trial: FrozenTrial, trial_id: Any) -> Iterator[models.BaseModel]:
    """Make the rows of a trial, but for what its sampler remembers, which may be a pickle."""
    if trial.value is not None:
        stored, kind = models.TrialValueModel.value_to_stored_repr(trial.value)
        yield models.TrialValueModel(trial_id=trial_id, objective=0, value=stored, value_type=kind)
    for name, value in trial.params.items():
        distribution = trial.distributions[name]
        yield models.TrialParamModel(
            trial_id=trial_id,
            param_name=name,
            param_value=distribution.to_internal_repr(value),
            distribution_json=distribution_to_json(distribution),
        )
    for step, value in trial.intermediate_values.items():
        kept, sort = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
        yield models.TrialIntermediateValueModel(
            trial_id=trial_id,
            step=step,
            intermediate_value=kept,
            intermediate_value_type=sort,
        )
