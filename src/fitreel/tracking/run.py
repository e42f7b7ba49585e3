"""An open run as the stages write to it: into its journal, which a courier delivers."""

import json
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE

from fitreel.checks.durability import writing
from fitreel.checks.files import sha256
from fitreel.data.dataset import Dataset
from fitreel.data.files import load_dataset
from fitreel.data.table.kept import KeptTable
from fitreel.journal.checkpoints import Checkpoints, unpack
from fitreel.journal.clock import now
from fitreel.journal.filming import FilmWriter
from fitreel.journal.journal import Journal
from fitreel.journal.spool import scratch
from fitreel.settings import Settings, TableSettings, TrainingSettings, normalised
from fitreel.settings.metrics import LOSS, seconds_metric
from fitreel.sweep.trials import Outcome
from fitreel.tracking.facts import Facts, earlier_provenance
from fitreel.tracking.kept_rows import files_of, read_rows
from fitreel.tracking.names import (
    AUTOMATIC_NAME_TAG,
    DATA,
    DATASET,
    DIGESTS_TAG,
    DRAWN_TAG,
    EVALUATED_TAG,
    FRAMES,
    HISTORY,
    OWNER,
    PROVENANCE,
    SHA256_TAG,
    TABLE,
    WEIGHTS,
    override_tag,
)
from fitreel.tracking.packing import packed, unpacked
from fitreel.tracking.store.internals import is_generated_name
from fitreel.training.files import load_history, load_weights
from fitreel.training.history import History
from fitreel.training.provenance import load_provenance
from fitreel.training.weights import Weights


class Run(Facts):
    """An open run, as a stage writes to it; its facts include what it writes at once."""

    def __init__(self, journal: Journal, found: Facts) -> None:
        """Start with what the store has of the run, and add what its journal says."""
        super().__init__(
            found.run_id, found.experiment_id, found.name, found.params, found.metrics, found.tags
        )
        self._journal = journal
        self.has_plan = False
        self._done: set[str] = set()
        self._measured: dict[str, float] = {}  # metrics that its journal had when it was opened
        self._artifacts: dict[str, Path] = {}
        for _, record in journal.records():
            if record["kind"] == "values":
                self._know(**record)
                self._measured |= record.get("metrics", {})
            elif record["kind"] == "plan":
                self.has_plan = bool(record["plan"])
            elif record["kind"] == "losses":
                self._know_loss(unpack(record["numbers"])[-1].item())
            elif record["kind"] == "artifacts":
                self._know_artifacts(journal.file(record, "folder"), record["to"])

    def has_done(self, stage: str) -> bool:
        """Return whether a stage was finished before the run was interrupted.

        To resume is to run the same command again: every stage asks this, and returns what the
        run has of it. Nothing else in the pipeline depends on resuming.
        """
        return stage in self._done

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; a metric keeps the seconds, and the stage is done."""
        started = time.perf_counter()
        yield
        # Not in a finally: a stage that fails is not done.
        seconds = time.perf_counter() - started
        self._log(stage=name, metrics={seconds_metric(name): round(seconds, 6)})

    def log_settings(self, settings: Settings, leave_out: Collection[str] = ()) -> None:
        """Log the settings as params.

        A param that is already there stays, as `mlflow run` logs them before fitreel starts; a
        tag replaces one that says something else, because MLflow never changes a param.
        """
        every = asdict(settings)  # type: ignore[call-overload]
        values = {key: value for key, value in every.items() if key not in leave_out}
        before = self.params_in_force
        self._log(
            params={key: str(value) for key, value in values.items() if key not in self.params},
            tags={
                override_tag(key): str(value)
                for key, value in values.items()
                if key in self.params
                and normalised(key, before[key]) != normalised(key, str(value))
            },
        )

    def log_params(self, params: Mapping[str, str]) -> None:
        """Log params; one that is already there stays."""
        self._log(params={name: text for name, text in params.items() if name not in self.params})

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log metrics, one value each; not again what a stage logged before it was interrupted."""
        before = self._measured
        new = {name: each for name, each in metrics.items() if repr(before.get(name)) != repr(each)}
        self._log(metrics=new)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        self._log(tags=dict(tags))

    def take_over(self, owner: Mapping[str, str]) -> None:
        """Set the tags of the process that writes it from now on; nothing stays of an earlier."""
        for tag in OWNER:
            self.tags.pop(tag, None)
        self.set_tags(owner)

    def set_name(self, name: str) -> None:
        """Set the name of the run, unless the user chose one."""
        present = self.tags.get(MLFLOW_RUN_NAME, "")
        if present == self.tags.get(AUTOMATIC_NAME_TAG) or is_generated_name(present):
            self.set_tags({MLFLOW_RUN_NAME: name, AUTOMATIC_NAME_TAG: name})

    def set_note(self, markdown: str) -> None:
        """Set the text that MLflow's UI shows as the run's description."""
        self.set_tags({MLFLOW_RUN_NOTE: markdown})

    def _log(self, *, tags: Mapping[str, str] | None = None, **fields: object) -> None:
        if tags:
            fields["tags"] = packed(tags, self.tags | dict(tags))
        # The journal first: what cannot be written must not be known.
        self._journal.append("values", time=now(), **fields)
        self._know(**fields)

    def _know(self, **fields: object) -> None:
        """Add what a record of values says to the facts."""
        for kind in ("params", "metrics", "tags"):
            found = fields.get(kind, {})
            if isinstance(found, dict):
                getattr(self, kind).update(unpacked(found) if kind == "tags" else found)
        self.name = self.tags.get(MLFLOW_RUN_NAME, self.name)
        self._done |= {str(fields["stage"])} if "stage" in fields else set()

    def _know_loss(self, loss: float) -> None:
        """Keep the last loss of a record of losses, which the courier delivers as a metric."""
        self.metrics[LOSS] = loss

    @contextmanager
    def artifacts(self, to: str | None = None) -> Iterator[Path]:
        """Yield a directory; its files are logged at the end, below the folder ``to``."""
        # Inside of the journal: what is written is in its place already, and no copy is made.
        folder = self._journal.folder()
        with writing(folder):
            yield folder
            self._journal.append_files("artifacts", folder, to=to)
        self._know_artifacts(folder, to)
        # Tables have no digest: people may open and save them, and their numbers are checked.
        sums = json.loads(self.tags.get(DIGESTS_TAG, "{}"))
        sums |= {
            str(Path(to or "") / file.name): sha256(file) for file in folder.glob("*.safetensors")
        }
        if sums:
            self.set_tags({DIGESTS_TAG: json.dumps(sums)})

    def artifact(self, path: str) -> Path | None:
        """Return the file of an artifact that it logged through this journal, or None."""
        return self._artifacts.get(path)

    def _know_artifacts(self, folder: Path, to: str | None) -> None:
        for file in folder.glob("*"):
            self._artifacts[str(Path(to or "") / file.name)] = file

    def log_trial(
        self, outcome: Outcome, name: str, params: Mapping[str, str], tags: Mapping[str, str]
    ) -> None:
        """Log a trial: a nested run that has ended, on the points of this one."""
        # A trial has no file of points: the tag says on which it was trained.
        shared = {SHA256_TAG: self.tags[SHA256_TAG]}
        self._journal.append(
            "trial", name=name, params=params, tags=shared | dict(tags), **outcome.to_record()
        )

    def trials(self) -> dict[int, tuple[TrainingSettings, Outcome]]:
        """Read the logged trials by number: their settings, and their outcomes without curves."""
        return {
            record["number"]: (
                TrainingSettings.from_params(record["params"]),
                Outcome.from_record(record).without_curve(),
            )
            for _, record in self._journal.records()
            if record["kind"] == "trial"
        }

    @property
    def delivered_trials(self) -> int:
        """How many trials the store has."""
        return int((self._journal.kept("delivered") or {}).get("trials", 0))

    @contextmanager
    def trial_artifacts(self, number: int, to: str | None = None) -> Iterator[Path]:
        """Yield a directory; its files are logged at the end with a trial, below ``to``."""
        folder = self._journal.folder()
        with writing(folder):
            yield folder
            self._journal.append_files("trial_artifacts", folder, number=number, to=to)

    def checkpoints(self, settings: TrainingSettings, every: int) -> Checkpoints:
        """Open the checkpoints of its training."""
        return Checkpoints(self._journal, settings, every, on_loss=self._know_loss)

    def film_writer(self, prefix: str = "") -> FilmWriter:
        """Open the writer of a film, through which its points become metrics with a prefix."""
        return FilmWriter(self._journal, prefix)

    def dataset(self) -> Dataset:
        """Read the points or the table that the run logged before it was interrupted."""
        if TABLE not in self._artifacts:
            return load_dataset(self._artifacts[DATASET])
        record = KeptTable.load(self._artifacts[TABLE])
        with scratch() as folder:
            files = files_of(record, lambda kept: self._artifacts[f"{DATA}/{kept.name}"], folder)
            return read_rows(files, self.table_settings() or TableSettings(), self.data_seed)

    def weights(self) -> Weights:
        """Read the trained parameters that the run logged before it was interrupted."""
        return load_weights(self._artifacts[WEIGHTS])

    def history(self) -> History:
        """Read the losses and frames that the run logged before it was interrupted."""
        return load_history(self._artifacts[HISTORY], self._artifacts[FRAMES])

    def provenance(self) -> dict[str, str]:
        """Read with what its training started before it was interrupted; nothing if it did not."""
        if PROVENANCE in self._artifacts:
            return load_provenance(self._artifacts[PROVENANCE])
        return earlier_provenance(self.tags)

    def log_dataset(
        self, file: Path, name: str, context: Literal["training", "evaluation"] = "training"
    ) -> None:
        """Log a file of artifacts("data") as an input of the run, with its SHA-256.

        If points replace those that the settings drew, the SHA-256 of the drawn ones is kept.
        """
        self._journal.append_files(
            "dataset", file, path=f"{DATA}/{file.name}", name=name, context=context
        )
        if context == "evaluation":
            self.set_tags({EVALUATED_TAG: sha256(file)})
            return
        digest = sha256(file)
        drawn = self.tags.get(DRAWN_TAG, self.tags.get(SHA256_TAG, digest))
        self.set_tags({SHA256_TAG: digest} | ({DRAWN_TAG: drawn} if drawn != digest else {}))

    def log_table(self, kept: KeptTable, record: Path, name: str) -> None:
        """Log a table, whose record is a file of artifacts("data"), as an input of the run."""
        kept.save(record)
        self._journal.append_files("dataset", record, path=TABLE, name=name, context="training")
        self.set_tags({SHA256_TAG: kept.files[0].sha256})

    def log_model(self, weights: Path) -> None:
        """Log a model with the weights of a file of artifacts()."""
        self._journal.append_files("model", weights)

    def register(self, name: str, run_id: str) -> None:
        """Register the model of a run, its own or the one it was read from, under a name."""
        self._journal.append("register", name=name, run_id=run_id)

    @property
    def status(self) -> str | None:
        """How it ended; None while it is open."""
        status = None
        for _, record in self._journal.records():
            # Only the last record counts: a resumed run writes on after the status of its
            # interruption.
            status = record["status"] if record["kind"] == "status" else None
        return status

    def end(self, status: str, *, resumable: bool = False) -> None:
        """Log how it ended, and whether its command can be resumed."""
        self._journal.append("status", status=status, time=now(), resumable=resumable)
