"""The Ray engine: rounds as tasks of a cluster. The only module that imports Ray."""

import atexit
import logging
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

# The first silences a warning of some versions about tasks without a GPU, the second messages of
# C++, the third Ray's reports to its makers.
QUIET = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray would report dead nodes on standard output, where only the run's id belongs. With both,
    # it prints no line that matches, and every line does. It reads them when it is imported.
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",
}
os.environ.update(QUIET)

import ray  # noqa: E402
from ray.exceptions import RayError, RayTaskError  # noqa: E402

import fitreel  # noqa: E402
from fitreel.checks.text import shown  # noqa: E402
from fitreel.journal.signals import held  # noqa: E402
from fitreel.settings import SweepSettings  # noqa: E402
from fitreel.sweep.head import Head, answers, no_cluster, one_line  # noqa: E402
from fitreel.sweep.rounds import Round, check_device  # noqa: E402
from fitreel.sweep.trials import Outcome  # noqa: E402

Result = TypeVar("Result")
RETRIES = 20  # of a round whose worker or node died; limited, as the round may be the cause
LOOK_EVERY = 2.0  # seconds between two looks at the cluster's head


class RayEngine:
    """Training on a Ray cluster: a round is a task of one processor, or of one GPU."""

    def __init__(self, settings: SweepSettings) -> None:
        """Join the cluster, and give its workers this very code.

        Raises ConnectionError if there is no cluster, ValueError if its workers cannot use the
        device.
        """
        # Runs before Ray's own, registered when Ray was imported, which writes to standard error.
        atexit.register(_leave)
        self._head = _join(settings.address)
        needed = "GPU" if settings.device.startswith("cuda") else "CPU"
        count = int(ray.cluster_resources().get(needed, 0))  # type: ignore[no-untyped-call]
        if not count:
            raise ValueError(
                f"device '{shown(settings.device)}' cannot be used: the cluster has no {needed}"
            )
        self.parallel = settings.parallel or count
        # Ray limits a task of one processor to one thread.
        self._remote = ray.remote(
            num_cpus=1, num_gpus=1 if needed == "GPU" else 0, max_retries=RETRIES
        )
        # The cluster trains and does nothing else: journal, store and study stay with this process.
        self._train = self._remote(Round.train)
        if settings.device != "cpu":
            self._get(self._remote(check_device).remote(settings.device).future())

    def submit(self, submitted: Round) -> "Future[list[Outcome]]":
        """Send a round to the cluster."""
        return self._train.remote(submitted).future()

    def outcomes(self, submitted: "Future[list[Outcome]]") -> list[Outcome]:
        """Wait for a round; Ray trains it again elsewhere if a worker or a node dies.

        Raises what the training raised, and ConnectionError if the cluster is lost.
        """
        return self._get(submitted)

    def _get(self, submitted: "Future[Result]") -> Result:
        try:
            # Not by ray.get, in which every signal becomes exit code 1.
            while wait([submitted], LOOK_EVERY).not_done:
                self._head.check()
            return submitted.result()
        except RayTaskError as error:
            raise error.cause from None  # as if the training had raised it here
        except RayError as error:
            raise ConnectionError(f"the Ray cluster lost a round: {one_line(error)}") from None


def _join(address: str) -> Head:
    found = _find(address)
    try:
        # Ray would take SIGTERM for itself, and its C++ writes to standard error.
        with held(), _silent_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                address=found,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                runtime_env={
                    # The nodes may have another fitreel, or none.
                    "py_modules": [str(Path(fitreel.__file__).parent)],
                    "excludes": ["__pycache__"],
                },
            )
    except (RuntimeError, OSError, ValueError) as error:
        raise no_cluster(address, error.__cause__ or error) from None
    return Head(ray.get_runtime_context().gcs_address)


def _find(address: str) -> str:
    """Return host and port; ConnectionError at once: ``ray.init`` would try for minutes."""
    found = address if address != "auto" else os.environ.get("RAY_ADDRESS") or _running(address)
    if found != "auto" and not answers(found):
        raise no_cluster(address, f"{found} does not answer")
    return found


def _running(address: str) -> str:
    """Return the address of this machine's cluster, or auto, for which ``ray.init`` searches."""
    try:
        # Ray has no public function that only searches. Without this one a cluster that was
        # killed is reported after minutes.
        from ray._private.services import canonicalize_bootstrap_address_or_die
    except ImportError:
        return "auto"
    try:
        return str(canonicalize_bootstrap_address_or_die(address))
    except (OSError, ValueError) as error:
        raise no_cluster(address, error) from None


def _leave() -> None:
    with _silent_stderr():
        ray.shutdown()


@contextmanager
def _silent_stderr() -> Iterator[None]:
    # The descriptor, not sys.stderr: C++ does not know that.
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
