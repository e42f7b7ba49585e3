"""The Ray engine: batches as tasks of a cluster. The only module that imports Ray."""

import logging
from typing import Any

import ray

from fitreel.sweep.trials import Batch, Outcome


class RayEngine:
    """Train on a Ray cluster, a batch a task."""

    def __init__(self, address: str, parallel: int) -> None:
        """Join the cluster; ConnectionError where there is none."""
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ConnectionError(f"no Ray cluster at {address}: {error}") from None
        self.parallel = parallel or int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
        self._train = ray.remote(max_retries=-1)(Batch.train)

    def submit(self, batch: Batch) -> Any:
        """Send a batch to the cluster."""
        return self._train.remote(batch)

    def outcomes(self, submitted: Any) -> list[Outcome]:
        """Wait for it."""
        found: list[Outcome] = ray.get(submitted)
        return found
