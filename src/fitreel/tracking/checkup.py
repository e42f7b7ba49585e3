"""The checkup of a tracking store: a run that is created, read and removed."""

import os
import secrets
from contextlib import ExitStack, suppress
from pathlib import Path

import mlflow
from mlflow.entities import Metric, Param

from fitreel.checks.databases import read_url
from fitreel.checks.urls import masked
from fitreel.doctor.finding import Finding
from fitreel.journal.clock import now
from fitreel.journal.spool import scratch
from fitreel.tracking.names import DOCTOR_TAG
from fitreel.tracking.packing import packed
from fitreel.tracking.process import process_tags
from fitreel.tracking.reaper import examine
from fitreel.tracking.store.connection import plain_errors
from fitreel.tracking.store.creation import Creation
from fitreel.tracking.store.ending import end
from fitreel.tracking.store.new_database import check_place
from fitreel.tracking.store.patience import Patience
from fitreel.tracking.store.repository import delete_all, local_path
from fitreel.tracking.tracker import Tracker

NOT_TRIED = Finding(False, "not tried, because an earlier check failed")
PATIENCE = 10.0  # seconds for a server that is busy
SILENCE = 3600  # seconds after which fitreel reap gives up a run of another machine


class StoreCheckup:
    """Checks of a store, one after the other: reach, write, artifact, remove, reap.

    If the store is missing, one in a temporary directory is tried, and removed again.
    """

    def __init__(self, tracking_uri: str | None = None) -> None:
        self._uri = tracking_uri
        self._tracker: Tracker | None = None
        self._experiment_id: str | None = None  # of a temporary store
        self._run_id: str | None = None
        self._temporary = ExitStack()  # the directory of that store

    def reach(self) -> Finding:
        """Connect as every command does."""
        try:
            self._tracker = Tracker(self._uri, may_create=False, patience=Patience(PATIENCE))
        except FileNotFoundError:
            return self._try_elsewhere()
        return Finding(True, f"{self._tracker.uri} answers")

    def _try_elsewhere(self) -> Finding:
        """Create a temporary store, to see whether one could be created."""
        uri = mlflow.get_tracking_uri()
        if uri.startswith("sqlite"):
            check_place(Path(read_url(uri).database or ""))
        folder = self._temporary.enter_context(scratch())
        try:
            self._tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        finally:
            # A tracker sets it for the process, but the checks after this one are about the user's
            # store.
            mlflow.set_tracking_uri(uri)
        self._experiment_id = self._tracker.client.create_experiment(
            "doctor", artifact_location=str(folder / "artifacts")
        )
        return Finding(
            True, f"{masked(uri)} is missing, fitreel run creates it; tried with a temporary one"
        )

    def write(self) -> Finding:
        """Create a run where new runs go, log to it and read that."""
        if self._tracker is None:
            return NOT_TRIED
        client = self._tracker.client
        with plain_errors(client.tracking_uri):
            self._run_id = self._create_run(self._tracker)
            metric = Metric("loss", 0.25, now(), 0)
            client.log_batch(self._run_id, metrics=[metric], params=[Param("epochs", "1")])
            found = client.get_run(self._run_id).data
        fine = found.metrics.get("loss") == 0.25 and found.params.get("epochs") == "1"
        return Finding(fine, f"a run was written and read{'' if fine else ', but differs'}")

    def _create_run(self, tracker: Tracker) -> str:
        client = tracker.client
        experiment_id = self._experiment_id or tracker.default_experiment_id()
        # Random, so that it is found again by it if the answer is lost.
        text = f"created by fitreel doctor; may be deleted; {secrets.token_hex(8)}"
        # With a process in its tags fitreel reap finds it, should we be killed.
        owner = process_tags()
        tags = packed(owner, owner) | {DOCTOR_TAG: text}
        creation = Creation(
            lambda: client.create_run(experiment_id, now(), tags=tags, run_name="doctor"),
            lambda: next(client.all_runs([experiment_id], f"tags.`{DOCTOR_TAG}` = '{text}'"), None),
        )
        return str(client.patiently(creation).info.run_id)

    def artifact(self) -> Finding:
        """Log a file and compare what comes back."""
        if self._tracker is None or self._run_id is None:
            return NOT_TRIED
        client, content = self._tracker.client, os.urandom(1000)
        with scratch() as folder, plain_errors(client.tracking_uri):
            file = folder / "doctor.bin"
            file.write_bytes(content)
            client.log_artifact(self._run_id, str(file), "doctor")
            back = folder / "back"
            back.mkdir()
            artifacts = client.repository(client.get_run(self._run_id).info.artifact_uri)
            path = artifacts.download_artifacts("doctor/doctor.bin", str(back))
            fine = Path(path).read_bytes() == content
        return Finding(
            fine, f"{len(content)} bytes were written and read{'' if fine else ', but differ'}"
        )

    def remove(self) -> Finding:
        """Remove the run and its files; the store keeps a mark of it that `mlflow gc` removes."""
        if self._experiment_id:
            self._temporary.close()
            return Finding(True, "the temporary store is removed")
        if self._tracker is None or self._run_id is None:
            return Finding(True, "no run was created")
        client, run_id = self._tracker.client, self._run_id
        with plain_errors(client.tracking_uri):
            run = client.get_run(run_id)
            end(client, run, "FINISHED")
            client.delete_run(run_id)
            if not delete_all(run.info.artifact_uri, client.tracking_uri):
                return Finding(True, f"run {run_id} is deleted; mlflow gc removes its artifact")
            if folder := local_path(run.info.artifact_uri):
                with suppress(OSError):  # there are other files in it
                    folder.parent.rmdir()
        return Finding(True, f"run {run_id} is deleted, its artifact too")

    def reap(self) -> Finding:
        """Count the runs whose process died."""
        if self._tracker is None:
            return NOT_TRIED
        if self._experiment_id:
            return Finding(True, "none")
        with plain_errors(self._tracker.client.tracking_uri):
            dead = sum(verdict.status is not None for verdict in examine(self._tracker, SILENCE))
        return Finding(not dead, f"{dead}: fitreel reap lists them" if dead else "none")
