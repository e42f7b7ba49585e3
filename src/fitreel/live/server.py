"""The server of a live page: on this machine alone, for those who know its address."""

import secrets
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fitreel.live.audience import Audience
from fitreel.live.watched import Watched

LOOPBACK = "127.0.0.1"


class Server(ThreadingHTTPServer):
    """It shows one training at an address with a token, to any number of pages."""

    daemon_threads = True

    def __init__(self, watched: Watched, requests: type[BaseHTTPRequestHandler]) -> None:
        """Listen on a free port for a kind of requests; OSError if all are taken."""
        super().__init__((LOOPBACK, 0), requests)
        self.watched = watched
        self.audience = Audience()
        self.token = secrets.token_urlsafe(32)
        serve = partial(self.serve_forever, poll_interval=0.1)  # seconds that the end may take
        threading.Thread(target=serve, name="live page", daemon=True).start()

    @property
    def address(self) -> str:
        """The address of the page; those who know it may watch and stop the training."""
        return f"http://{LOOPBACK}:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the traceback of a defect, but nothing of a viewer that went away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
