"""Serving the report on this machine alone, made anew when a record or a log changes."""

import errno
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from dust_core.errors import DustError
from dust_eval.report.build import Built, Source, build

HOST = "127.0.0.1"
_NAMES = {HOST, "localhost"}
_SECONDS_TO_ANSWER = 10.0


class Site:
    """The page as it is now.

    Attributes:
        source: what it is made from.
        say: prints a line for the user.
    """

    def __init__(self, source: Source, say: Callable[[str], None]) -> None:
        self.source, self.say = source, say
        self._lock = threading.Lock()
        self._stamp, self._failed = "", ""
        self._built: Built | None = None

    def page(self) -> str:
        """The page; it is made anew where the files changed.

        While a record is being written, the page is the last one that could be made.

        Raises:
            DustError: no page could be made yet.
        """
        with self._lock:
            stamp = self.source.stamp()
            if stamp != self._stamp or self._built is None:
                try:
                    self._built = build(self.source, self._built, stamp)
                except DustError as error:
                    if self._built is None:
                        raise
                    if stamp != self._failed:
                        self.say(f"the page is not made anew: {error}")
                    self._failed = stamp
                else:
                    self._stamp = stamp
            return self._built.html

    def stamp(self) -> str:
        """The digest of the files as they are now; that of the page where they give no page."""
        now = self.source.stamp()
        return self._stamp if now == self._failed else now


def open_server(site: Site, port: int) -> ThreadingHTTPServer:
    """A server on the loopback interface; port 0 takes any that is free.

    Raises:
        DustError: the port is taken, or the user may not open it.
    """
    try:
        return _Server((HOST, port), _handler(site))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise DustError(
            f"port {port} is taken" if taken else f"port {port} cannot be opened: {error.strerror}",
            where=HOST,
            fix="choose another port with --port, or any that is free with --port 0",
        ) from error
    except OverflowError as error:
        raise DustError(f"{port} is no port", fix="choose one from 1024 to 65535") from error


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that left is no error; the page says what else goes wrong."""


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SECONDS_TO_ANSWER

        def do_GET(self) -> None:
            # A name that a stranger's DNS points here is no name of this server.
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
            path = urlsplit(self.path).path
            if host not in _NAMES:
                self._answer(403, "text/plain", "only for this machine\n")
            elif path == "/stamp":
                self._answer(200, "text/plain", site.stamp())
            elif path in ("/", "/index.html"):
                try:
                    self._answer(200, "text/html", site.page())
                except DustError as error:
                    self._answer(500, "text/plain", f"error: {error}\n")
            else:
                self._answer(404, "text/plain", "there is only the page: /\n")

        def _answer(self, status: int, kind: str, text: str) -> None:
            content = text.encode("utf-8")
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """The terminal shows what the user has to know, not every request."""

    return Handler
