"""What the servers between the program and a store have in common.

They read a request whole, pass something of it on over a connection of its own, and give an answer.
"""

import http.client
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "proxy-connection"}
TIMEOUT = 120  # seconds

Headers = list[tuple[str, str]]


class Server(ThreadingHTTPServer):
    """Killed clients reset their connections; that is not reported."""

    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Relay:
    """Listens on a free port of the loopback address until it is closed."""

    def __init__(self, handler: type["RelayHandler"]):
        self.server = Server(("127.0.0.1", 0), handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class RelayHandler(BaseHTTPRequestHandler):
    """Handles the requests of one connection; `handle_one` is for the kind of relay to define."""

    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT

    def handle_one(self, body: bytes) -> None:
        raise NotImplementedError

    def log_message(self, *_) -> None:
        pass

    def forward(self, port: int, path: str, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
        """Passes a request on and returns status, headers and body of the answer."""
        upstream = self.send(port, path, headers, body)
        try:
            answer = upstream.getresponse()
            found = answer.read()
            # Of an answer to HEAD the length says how long the body would be.
            dropped = HOP_BY_HOP if self.command == "HEAD" else HOP_BY_HOP | {"content-length"}
            return answer.status, [(k, v) for k, v in answer.getheaders() if k.lower() not in dropped], found
        finally:
            upstream.close()

    def send(self, port: int, path: str, headers: Headers, body: bytes) -> http.client.HTTPConnection:
        """Sends a request to a port of this machine."""
        upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        try:
            has_host = any(name.lower() == "host" for name, _ in headers)
            upstream.putrequest(self.command, path, skip_host=has_host, skip_accept_encoding=True)
            for name, value in headers:
                upstream.putheader(name, value)
            upstream.endheaders(body or None)
            return upstream
        except BaseException:
            upstream.close()
            raise

    def answer(self, status: int, headers: Headers, body: bytes, sent: int | None = None) -> None:
        """Answers the client; of the body with the first `sent` bytes only, where that is given."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:sent])
            self.wfile.flush()

    def safely(self) -> None:
        try:
            self.handle_one(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        except (OSError, ValueError, http.client.HTTPException):
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = safely

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            pass
