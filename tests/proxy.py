"""A proxy in front of a real server, which misbehaves by rules.

It is late or busy, resets connections, sends empty answers, repeats and reorders requests.
"""

import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit


@dataclass
class Rule:
    """What happens to the first ``times`` requests with this method and path."""

    method: str
    path: str  # a regular expression to search for
    before: float = 0.0  # seconds until the request is forwarded
    after: float = 0.0  # seconds between the server's answer and ours
    status: int = 0  # sent instead of the server's status
    is_forwarded: bool = True
    is_empty: bool = False  # answer with an empty body
    is_reset: bool = False  # reset the connection instead of answering
    is_cut: bool = False  # end the connection in the middle of the body
    is_twice: bool = False  # forward it twice; the client gets the second answer
    again_after: int = 0  # so many requests later, forward it (again), without an answer
    times: float = float("inf")
    met: int = field(default=0, init=False)

    def meets(self, method: str, path: str) -> bool:
        """Return whether the rule applies to a request; count the requests that match."""
        if self.method not in ("", method) or not re.search(self.path, path):
            return False
        self.met += 1
        return self.met <= self.times


def late(method: str, path: str, seconds: float, times: float = float("inf")) -> Rule:
    """Forward the request at once, but delay the server's answer."""
    return Rule(method, path, after=seconds, times=times)


def slow(method: str, path: str, seconds: float, times: float = float("inf")) -> Rule:
    """Forward the request late."""
    return Rule(method, path, before=seconds, times=times)


def busy(method: str, path: str, status: int, times: float = float("inf")) -> Rule:
    """Answer with a status, without asking the server."""
    return Rule(method, path, status=status, is_forwarded=False, times=times)


def reset(method: str, path: str, times: float = float("inf")) -> Rule:
    """Reset the connection, without asking the server."""
    return Rule(method, path, is_reset=True, is_forwarded=False, times=times)


def lost(method: str, path: str, times: float = float("inf")) -> Rule:
    """Reset the connection after the server has done its work."""
    return Rule(method, path, is_reset=True, times=times)


def empty(method: str, path: str, times: float = float("inf")) -> Rule:
    """Answer with status 200 and an empty body, without asking the server."""
    return Rule(method, path, is_forwarded=False, is_empty=True, times=times)


def cut(method: str, path: str, times: float = float("inf")) -> Rule:
    """End the connection in the middle of the answer, after the server has done its work."""
    return Rule(method, path, is_cut=True, times=times)


class Proxy:
    """A proxy in front of a server; a context manager that starts and stops it."""

    def __init__(self, target: str, *rules: Rule) -> None:
        self.target = target
        self.rules = list(rules)
        self.seen: list[tuple[str, str]] = []  # methods and paths
        self._held: list[tuple[int, Callable[[], object]]] = []  # to be sent, before which number
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def count(self, method: str, path: str) -> int:
        """Count the matching requests so far."""
        return sum(m == method and bool(re.search(path, p)) for m, p in list(self.seen))

    def rule(self, method: str, path: str) -> Rule | None:
        """Return the first rule that applies to a request."""
        return next((rule for rule in list(self.rules) if rule.meets(method, path)), None)

    def hold(self, after: int, send: Callable[[], object]) -> None:
        """Keep a request back until so many others were seen."""
        with self._lock:
            self._held.append((len(self.seen) + after, send))

    def release(self, every: bool = False) -> None:
        """Send the requests whose turn has come, or all that are held."""
        with self._lock:
            due = [send for number, send in self._held if every or number <= len(self.seen)]
            self._held = [each for each in self._held if each[1] not in due]
            for send in due:
                send()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer would wait 40 ms between header and body

    def log_message(self, *_: object) -> None:
        """Write no log."""

    def _handle(self) -> None:
        body = self._body()
        method, path = self.command, self.path
        self.proxy.seen.append((method, path))
        self.proxy.release()
        rule = self.proxy.rule(method, path) or Rule("", "")
        time.sleep(rule.before)
        status, headers, content = 200, [("Content-Type", "application/json")], b""
        if rule.is_forwarded:
            for _ in range(1 + rule.is_twice):
                status, headers, content = self._forward(method, path, body)
        if rule.again_after:
            self.proxy.hold(rule.again_after, partial(self._forward, method, path, body))
        time.sleep(rule.after)
        if rule.is_reset:
            # With a linger time of zero seconds, closing resets the connection.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()
            return
        try:
            self._answer(rule.status or status, headers, b"" if rule.is_empty else content, rule)
        except OSError:  # the client has disconnected
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _forward(
        self, method: str, path: str, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = HTTPConnection(urlsplit(self.proxy.target).netloc)
        kept = ("content-type", "authorization", "accept")
        headers = {name: value for name, value in self.headers.items() if name.lower() in kept}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, [("Content-Type", answer.getheader("Content-Type", ""))], content

    def _answer(
        self, status: int, headers: list[tuple[str, str]], content: bytes, rule: Rule
    ) -> None:
        self.send_response(status)
        for name, value in [*headers, ("Content-Length", str(len(content)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if rule.is_cut else content)
        self.close_connection = self.close_connection or rule.is_cut
