"""The engines: where the rounds of a search are trained."""

from typing import Any, Protocol

from fitreel.settings import SweepSettings
from fitreel.sweep.rounds import Round, check_device
from fitreel.sweep.trials import Outcome


class Engine(Protocol):
    """What trains rounds."""

    parallel: int  # rounds that train at the same time

    def submit(self, submitted: Round) -> Any:
        """Start a round; return what ``outcomes`` takes."""

    def outcomes(self, submitted: Any) -> list[Outcome]:
        """Wait for the outcomes of a round."""


class LocalEngine:
    """Training in this process, one round after the other."""

    parallel = 1

    def submit(self, submitted: Round) -> Round:
        """Return the round: it is trained when its outcomes are needed."""
        return submitted

    def outcomes(self, submitted: Round) -> list[Outcome]:
        """Train the round."""
        return submitted.train()


def open_engine(settings: SweepSettings) -> Engine:
    """Return the engine of the settings; ValueError or ConnectionError if it cannot be used.

    ModuleNotFoundError names the extra to install if Ray is missing.
    """
    if settings.engine == "ray":
        try:
            from fitreel.sweep.cluster import RayEngine
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"--engine ray needs {error.name}: pip install 'fitreel[ray]'"
            ) from None
        return RayEngine(settings)
    check_device(settings.device)
    return LocalEngine()
