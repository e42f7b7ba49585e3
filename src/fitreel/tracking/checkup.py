"""The checkup of a tracking store: a run that is made, read again and removed."""

import os
import secrets
from contextlib import ExitStack, suppress
from pathlib import Path

import mlflow
from mlflow.entities import Metric, Param
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from fitreel.checks.databases import read_url
from fitreel.checks.urls import masked
from fitreel.doctor.machine import Finding
from fitreel.journal.clock import now
from fitreel.journal.spool import scratch
from fitreel.tracking.connection import plain_errors
from fitreel.tracking.creation import Creation
from fitreel.tracking.database import check_place
from fitreel.tracking.ending import end
from fitreel.tracking.names import DOCTOR_TAG
from fitreel.tracking.patience import Patience
from fitreel.tracking.process import process_tags
from fitreel.tracking.reaper import examine
from fitreel.tracking.tracker import Tracker

NOT_TRIED = Finding(False, "not tried, for want of the one before")
PATIENCE = 10.0  # seconds for a server that is busy
SILENCE = 3600  # seconds after which fitreel reap gives up a run of another machine


class StoreCheckup:
    """One after the other: reach, write, artifact, remove, reap.

    Where there is no store yet, one in a temporary directory is tried, and removed again.
    """

    def __init__(self, tracking_uri: str | None = None) -> None:
        self._uri = tracking_uri
        self._tracker: Tracker | None = None
        self._experiment_id: str | None = None  # of a store that is only tried
        self._run_id: str | None = None
        self._elsewhere = ExitStack()  # holds the directory of a store that is only tried

    def reach(self) -> Finding:
        """Connect as every command does."""
        try:
            self._tracker = Tracker(self._uri, may_create=False, patience=Patience(PATIENCE))
        except FileNotFoundError:
            return self._try_elsewhere()
        return Finding(True, f"{self._tracker.uri} answers")

    def _try_elsewhere(self) -> Finding:
        """Make a store that is nobody's, to see whether one could be made."""
        uri = mlflow.get_tracking_uri()
        if uri.startswith("sqlite"):
            check_place(Path(read_url(uri).database or ""))
        folder = self._elsewhere.enter_context(scratch())
        try:
            self._tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        finally:
            mlflow.set_tracking_uri(uri)
        self._experiment_id = self._tracker.client.create_experiment(
            "doctor", artifact_location=str(folder / "artifacts")
        )
        return Finding(True, f"none here yet, fitreel run makes {masked(uri)}; tried with another")

    def write(self) -> Finding:
        """Make a run where new runs go, log to it and read that again."""
        if self._tracker is None:
            return NOT_TRIED
        client = self._tracker.client
        with plain_errors(self._tracker.client.tracking_uri):
            self._run_id = self._make(self._tracker)
            metric = Metric("loss", 0.25, now(), 0)
            client.log_batch(self._run_id, metrics=[metric], params=[Param("epochs", "1")])
            found = client.get_run(self._run_id).data
        fine = found.metrics.get("loss") == 0.25 and found.params.get("epochs") == "1"
        return Finding(fine, f"a run was written and read again{'' if fine else ', but differs'}")

    def _make(self, tracker: Tracker) -> str:
        client = tracker.client
        experiment_id = self._experiment_id or tracker.default_experiment_id()
        text = f"made by fitreel doctor; may be deleted; {secrets.token_hex(8)}"
        # With a process in its tags fitreel reap finds it, should we be killed.
        tags = process_tags() | {DOCTOR_TAG: text}
        creation = Creation(
            lambda: client.create_run(experiment_id, now(), tags=tags, run_name="doctor"),
            lambda: next(client.all_runs([experiment_id], f"tags.`{DOCTOR_TAG}` = '{text}'"), None),
        )
        return str(client.patiently(creation).info.run_id)

    def artifact(self) -> Finding:
        """Log a file and compare what comes back."""
        if self._tracker is None or self._run_id is None:
            return NOT_TRIED
        content = os.urandom(1000)
        with scratch() as folder, plain_errors(self._tracker.client.tracking_uri):
            file = folder / "doctor.bin"
            file.write_bytes(content)
            self._tracker.client.log_artifact(self._run_id, str(file), "doctor")
            back = folder / "back"
            back.mkdir()
            address = self._tracker.client.get_run(self._run_id).info.artifact_uri
            files = self._tracker.client.repository(address)
            path = files.download_artifacts("doctor/doctor.bin", str(back))  # type: ignore[no-untyped-call]
            fine = Path(path).read_bytes() == content
        return Finding(
            fine,
            f"{len(content)} bytes were written and read again{'' if fine else ', but differ'}",
        )

    def remove(self) -> Finding:
        """Remove the run and its files; the store keeps a mark of it that `mlflow gc` removes."""
        if self._experiment_id:
            self._elsewhere.close()
            return Finding(True, "the store that was tried is removed")
        if self._tracker is None or self._run_id is None:
            return Finding(True, "there is no run to remove")
        client, run_id = self._tracker.client, self._run_id
        with plain_errors(self._tracker.client.tracking_uri):
            run = client.get_run(run_id)
            end(client, run, "FINISHED")
            client.delete_run(run_id)
            files = client.repository(run.info.artifact_uri)
            files.delete_artifacts()  # type: ignore[no-untyped-call]
            if isinstance(files, LocalArtifactRepository):
                with suppress(OSError):  # somebody else's is in it
                    Path(files.artifact_dir).parent.rmdir()
        return Finding(True, f"run {run_id} is deleted, its artifact too")

    def reap(self) -> Finding:
        """Count the runs that nobody can close themselves."""
        if self._tracker is None:
            return NOT_TRIED
        if self._experiment_id:
            return Finding(True, "none")
        with plain_errors(self._tracker.client.tracking_uri):
            dead = sum(verdict.status is not None for verdict in examine(self._tracker, SILENCE))
        return Finding(not dead, f"{dead}: fitreel reap tells which" if dead else "none")
