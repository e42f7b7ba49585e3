"""The checkup of a tracking store: a run that is made, read again and removed."""

import os
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from mlflow.entities import Metric, Param
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from fitreel.checkup import Finding
from fitreel.databases import read_url
from fitreel.tracking.connection import plain_errors
from fitreel.tracking.database import check_place
from fitreel.tracking.process import process_tags
from fitreel.tracking.reaper import examine
from fitreel.tracking.tracker import Tracker
from fitreel.urls import masked

DOCTOR_TAG = "fitreel.doctor"
NOT_TRIED = Finding(False, "not tried, for want of the one before")
SILENCE = 3600  # seconds after which fitreel reap gives up a run of another machine


class StoreCheckup:
    """One after the other: reach, write, artifact, remove, reap.

    Where there is no store yet, one in a temporary directory is tried, and removed again.
    """

    def __init__(self, tracking_uri: str | None = None) -> None:
        self._uri = tracking_uri
        self._tracker: Tracker | None = None
        self._experiment_id: str | None = None  # the default one
        self._run_id: str | None = None
        self._trial: TemporaryDirectory[str] | None = None

    def reach(self) -> Finding:
        """Connect as every command does."""
        try:
            self._tracker = Tracker(self._uri, may_create=False)
        except FileNotFoundError:
            return self._try_elsewhere()
        return Finding(True, f"{self._tracker.uri} answers")

    def _try_elsewhere(self) -> Finding:
        """Make a store that is nobody's, to see whether one could be made."""
        uri = mlflow.get_tracking_uri()
        if uri.startswith("sqlite"):
            check_place(Path(read_url(uri).database or ""))
        self._trial = TemporaryDirectory(prefix="fitreel-")
        try:
            self._tracker = Tracker(f"sqlite:///{self._trial.name}/mlflow.db")
        finally:
            mlflow.set_tracking_uri(uri)
        self._experiment_id = self._tracker.client.create_experiment(
            "doctor", artifact_location=str(Path(self._trial.name, "artifacts"))
        )
        return Finding(True, f"none here yet, fitreel run makes {masked(uri)}; tried with another")

    def write(self) -> Finding:
        """Make a run where new runs go, log to it and read that again."""
        if self._tracker is None:
            return NOT_TRIED
        client = self._tracker.client
        with plain_errors(self._tracker.client.tracking_uri):
            # With a process in its tags fitreel reap finds it, should we be killed.
            run = client.create_run(
                self._experiment_id or self._tracker.default_experiment_id(),
                tags=process_tags() | {DOCTOR_TAG: "made by fitreel doctor; may be deleted"},
                run_name="doctor",
            )
            self._run_id = run.info.run_id
            metric = Metric("loss", 0.25, time.time_ns() // 1_000_000, 0)
            client.log_batch(self._run_id, metrics=[metric], params=[Param("epochs", "1")])
            found = client.get_run(self._run_id).data
        fine = found.metrics.get("loss") == 0.25 and found.params.get("epochs") == "1"
        return Finding(fine, f"a run was written and read again{'' if fine else ', but differs'}")

    def artifact(self) -> Finding:
        """Log a file and compare what comes back."""
        if self._tracker is None or self._run_id is None:
            return NOT_TRIED
        content = os.urandom(1000)
        with (
            TemporaryDirectory(prefix="fitreel-") as folder,
            plain_errors(self._tracker.client.tracking_uri),
        ):
            file = Path(folder, "doctor.bin")
            file.write_bytes(content)
            self._tracker.client.log_artifact(self._run_id, str(file), "doctor")
            back = Path(folder, "back")
            back.mkdir()
            path = self._tracker.client.download_artifacts(
                self._run_id, "doctor/doctor.bin", str(back)
            )
            fine = Path(path).read_bytes() == content
        return Finding(
            fine,
            f"{len(content)} bytes were written and read again{'' if fine else ', but differ'}",
        )

    def remove(self) -> Finding:
        """Remove the run and its files; the store keeps a mark of it that `mlflow gc` removes."""
        if self._trial:
            self._trial.cleanup()
            return Finding(True, "the store that was tried is removed")
        if self._tracker is None or self._run_id is None:
            return Finding(True, "there is no run to remove")
        client, run_id = self._tracker.client, self._run_id
        with plain_errors(self._tracker.client.tracking_uri):
            uri = client.get_run(run_id).info.artifact_uri
            client.set_terminated(run_id)
            client.delete_run(run_id)
            files = get_artifact_repository(uri)
            files.delete_artifacts()  # type: ignore[no-untyped-call]
            if isinstance(files, LocalArtifactRepository):
                with suppress(OSError):  # somebody else's is in it
                    Path(files.artifact_dir).parent.rmdir()
        return Finding(True, f"run {run_id} is deleted, its artifact too")

    def reap(self) -> Finding:
        """Count the runs that nobody can close themselves."""
        if self._tracker is None:
            return NOT_TRIED
        if self._trial:
            return Finding(True, "none")
        with plain_errors(self._tracker.client.tracking_uri):
            dead = sum(verdict.status is not None for verdict in examine(self._tracker, SILENCE))
        return Finding(not dead, f"{dead}: fitreel reap tells which" if dead else "none")
