"""The requests to a live page: who may ask, and the answers."""

import hmac
import select
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from fitreel.live.commands import obey
from fitreel.live.feed import Feed, as_event
from fitreel.live.server import Server
from fitreel.live.watched import ENDS
from fitreel.pages.live import live_page

NAMES = ("127.0.0.1", "localhost")  # a page elsewhere that leads here has another name
# Seconds from message to message: every one takes a little from a training at full speed.
PAUSE, PACED_PAUSE = 0.1, 0.04
SILENCE = 150  # pauses after which a sign of life is sent
LONGEST_COMMAND = 20  # bytes
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Requests(BaseHTTPRequestHandler):
    """One connection of a browser; a viewer that is slow or goes away ends its own thread alone."""

    server: Server
    server_version, sys_version = "fitreel", ""
    timeout = 30  # seconds for a request, and for each message

    def do_GET(self) -> None:
        """Send the page, or the news of the training as they come."""
        match self._asked():
            case None:
                self._answer(HTTPStatus.FORBIDDEN)
            case "":
                self._send_page()
            case "events" if self.server.audience.is_full:
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE)
            case "events":
                self._send_news()
            case "control":
                self._answer(HTTPStatus.METHOD_NOT_ALLOWED)
            case _:
                self._answer(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Do what the page asks for."""
        match self._asked():
            case None:
                self._answer(HTTPStatus.FORBIDDEN)
            case "control":
                self._obey()
            case _:
                self._answer(HTTPStatus.METHOD_NOT_ALLOWED)

    def _asked(self) -> str | None:
        """Return the path behind the token; None if the request may not be answered."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return None
        # Not the port: that of the browser may be another, forwarded from another machine.
        if name not in NAMES or origin not in (None, f"http://{host}"):
            return None
        _, token, *rest = [*self.path.split("/", 2), ""]
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            return None
        return rest[0]

    def _send_page(self) -> None:
        last = self.server.watched.page
        self._answer(HTTPStatus.OK, last or live_page().encode(), "text/html; charset=utf-8")
        self.server.audience.has_page(is_last=last is not None)

    def _obey(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LONGEST_COMMAND:
            return self._answer(HTTPStatus.BAD_REQUEST)
        try:
            obey(self.server.watched.controls, self.rfile.read(int(length)).decode())
        except ValueError:
            return self._answer(HTTPStatus.BAD_REQUEST)
        return self._answer(HTTPStatus.NO_CONTENT)

    def _send_news(self) -> None:
        watched, audience = self.server.watched, self.server.audience
        feed, silence = Feed(watched), 0
        with audience.watching():
            self._start(HTTPStatus.OK, "text/event-stream")
            while True:
                with audience.turn(is_urgent=watched.phase in ENDS):
                    news = feed.news()
                    message = as_event(news) if news else b""
                silence = 0 if news else silence + 1
                if silence >= SILENCE:
                    message, silence = b":\n\n", 0
                self.wfile.write(message)
                if news.get("state", {}).get("phase") in ENDS:
                    return
                # A page sends nothing more: it can be read only if it was closed.
                pause = PACED_PAUSE if watched.controls.pace else PAUSE
                if select.select([self.connection], [], [], pause)[0]:
                    raise ConnectionAbortedError("the page was closed")

    def _start(self, status: HTTPStatus, kind: str) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind}.items():
            self.send_header(name, value)
        self.end_headers()

    def _answer(self, status: HTTPStatus, body: bytes = b"", kind: str = "text/plain") -> None:
        self._start(status, kind)
        self.wfile.write(body or (f"{status.phrase}\n".encode() if status >= 400 else b""))

    def log_message(self, *_: object) -> None:
        """Print nothing."""
