"""The Ray engine: batches as tasks of a cluster. The only module that imports Ray."""

import atexit
import logging
import os
import socket
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import ray
from ray._private import worker as ray_worker
from ray._private.services import canonicalize_bootstrap_address_or_die
from ray.exceptions import RayError, RayTaskError

import fitreel
from fitreel.checks.text import shown
from fitreel.journal.signals import held
from fitreel.settings import SweepSettings
from fitreel.sweep.trials import Batch, Outcome, check_device

Result = TypeVar("Result")
RETRIES = 20  # of a batch whose worker or node died; a batch that kills them all must end
LOOK = 2.0  # seconds from one look at the cluster's head to the next
GIVEN_UP = 20.0  # seconds of its silence; Ray itself ends this process after 60
QUIET = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_USAGE_STATS_ENABLED": "0",
}


class RayEngine:
    """Train on a Ray cluster, a batch a task of one processor, or of one GPU."""

    def __init__(self, settings: SweepSettings) -> None:
        """Join the cluster, and give its workers this very code.

        Raises ConnectionError where there is no cluster, ValueError if its workers cannot use the
        device.
        """
        self._head = _find(settings.address)
        atexit.register(_leave)
        self._join(settings.address)
        needed = "GPU" if settings.device.startswith("cuda") else "CPU"
        count = int(ray.cluster_resources().get(needed, 0))  # type: ignore[no-untyped-call]
        if not count:
            raise ValueError(
                f"device '{shown(settings.device)}' cannot be used: the cluster has no {needed}"
            )
        self.parallel = settings.parallel or count
        # Ray tells a task of one processor to use one thread.
        self._remote = ray.remote(
            num_cpus=1, num_gpus=1 if needed == "GPU" else 0, max_retries=RETRIES
        )
        self._train = self._remote(Batch.train)
        self._seen = time.monotonic()  # the head, for the last time
        if settings.device != "cpu":
            self._get(self._remote(check_device).remote(settings.device).future())

    def _join(self, address: str) -> None:
        os.environ.update(QUIET)
        ray_worker._worker_logs_enabled = False  # or it tells of dead nodes on standard output
        try:
            # Ray would take SIGTERM for itself, and its C++ writes to standard error.
            with held(), _silent_stderr(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray.init(
                    address=self._head,
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                    runtime_env={
                        "py_modules": [str(Path(fitreel.__file__).parent)],
                        "excludes": ["__pycache__"],
                    },
                )
        except (RuntimeError, OSError, ValueError) as error:
            raise ConnectionError(_no_cluster(address, error.__cause__ or error)) from None

    def submit(self, batch: Batch) -> "Future[list[Outcome]]":
        """Send a batch to the cluster."""
        return self._train.remote(batch).future()

    def outcomes(self, submitted: "Future[list[Outcome]]") -> list[Outcome]:
        """Wait for it; if a worker or a node dies meanwhile, Ray begins it again elsewhere.

        Raises what the training raised, and ConnectionError where the cluster is lost.
        """
        return self._get(submitted)

    def _get(self, submitted: "Future[Result]") -> Result:
        try:
            # Not by ray.get, in which every signal becomes exit code 1.
            while wait([submitted], LOOK).not_done:
                self._look()
            return submitted.result()
        except RayTaskError as error:
            raise error.cause from None
        except RayError as error:
            raise ConnectionError(f"the Ray cluster lost a batch: {_line(error)}") from None

    def _look(self) -> None:
        """Raise ConnectionError if the head has been silent for too long."""
        if _answers(self._head):
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > GIVEN_UP:
            raise ConnectionError(f"the Ray cluster at {self._head} is gone")


def _leave() -> None:
    with _silent_stderr():
        ray.shutdown()


@contextmanager
def _silent_stderr() -> Iterator[None]:
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _find(address: str) -> str:
    """Give host and port; ConnectionError at once where Ray would try again for minutes."""
    try:
        found = canonicalize_bootstrap_address_or_die(address)
    except (OSError, ValueError) as error:
        raise ConnectionError(_no_cluster(address, error)) from None
    if not _answers(found):
        raise ConnectionError(_no_cluster(address, f"{found} does not answer"))
    return found


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def _no_cluster(address: str, reason: object) -> str:
    return f"no Ray cluster at {shown(address)}; start one with: ray start --head ({_line(reason)})"


def _line(reason: object) -> str:
    """Put an error on one line; of a traceback only the last says something."""
    lines = str(reason).split("\n")
    told = [line for line in lines if line.strip()][-1:] if "Traceback" in lines[0] else lines
    return " ".join(" ".join(told).split()).rstrip(".") or type(reason).__name__
