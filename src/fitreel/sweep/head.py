"""The head of a Ray cluster: whether it still answers, and the error if it is missing."""

import socket
import time

from fitreel.checks.text import shown

LONGEST_SILENCE = 20.0  # seconds; after 60 Ray itself would end this process


class Head:
    """The address of a cluster's head, and when it answered last."""

    def __init__(self, address: str) -> None:
        """Note that the head at HOST:PORT answers now."""
        self._address = address
        self._seen = time.monotonic()

    def check(self) -> None:
        """Raise ConnectionError if the head has been silent for too long."""
        if answers(self._address):
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > LONGEST_SILENCE:
            raise ConnectionError(f"the Ray cluster at {self._address} is gone")


def answers(address: str) -> bool:
    """Return whether something accepts connections at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        # A plain connection: Ray's own functions wait for minutes, or end the process.
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except (OSError, ValueError):
        return False
    return True


def no_cluster(address: str, reason: object) -> ConnectionError:
    """Return the error for an address at which no cluster can be joined."""
    return ConnectionError(
        f"no Ray cluster at {shown(address)}; start one with: ray start --head ({one_line(reason)})"
    )


def one_line(error: object) -> str:
    """Return the text of an error on one line; of a traceback only its last line."""
    lines = str(error).split("\n")
    said = [line for line in lines if line.strip()][-1:] if "Traceback" in lines[0] else lines
    return " ".join(" ".join(said).split()).rstrip(".") or type(error).__name__
