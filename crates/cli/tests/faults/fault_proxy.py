"""A proxy in front of an object store that does to requests what networks and busy stores do to them.

Every request is read whole, matched against rules, and passed on over a connection of its own. The dice are seeded, but
requests arrive in an order that differs from run to run: a seed says how much goes wrong, not exactly where.
"""

import http.client
import random
import re
import socket
import struct
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

# What can be done to a request, and what the client then knows.
LATENCY = "latency"  # it takes longer
RESET_BEFORE = "reset before"  # not applied; the connection is reset
RESET_AFTER = "reset after"  # applied; the connection is reset before the answer
ERROR = "500"  # not applied
ERROR_AFTER = "500 after"  # applied, and told as failed
SLOW_DOWN = "503 slow down"  # not applied, with Retry-After
CUT_UPLOAD = "cut upload"  # half of the request arrives at the store
CUT_DOWNLOAD = "cut download"  # half of the answer arrives at the client
UNCONDITIONAL = "unconditional"  # a put that the store refuses because there is such an object is told as done

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "proxy-connection"}


@dataclass
class Rule:
    """A fault for requests whose method and path match, with a chance, so often at most."""

    fault: str
    method: str = ".*"
    path: str = ".*"
    chance: float = 1.0
    most: int = 1_000_000


class Server(ThreadingHTTPServer):
    """Clients that are killed reset their connections, which is nothing to tell of."""

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class FaultProxy:
    """Listens on a free port of the loopback address until it is closed."""

    def __init__(self, upstream: int, seed: int = 0):
        self.upstream, self.rules, self.happened = upstream, [], Counter()
        self.dice, self.lock = random.Random(seed), threading.Lock()
        self.server = Server(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def set(self, rules: list[Rule], seed: int) -> None:
        """Replaces the rules and counts anew."""
        with self.lock:
            self.rules, self.happened, self.dice = rules, Counter(), random.Random(seed)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def fault(self, method: str, path: str) -> str | None:
        path = unquote(path)  # Google's names are one escaped word
        with self.lock:
            for number, rule in enumerate(self.rules):
                key = (number, rule.fault)
                if self.happened[key] >= rule.most:
                    continue
                if re.fullmatch(rule.method, method) and re.search(rule.path, path):
                    if self.dice.random() < rule.chance:
                        self.happened[key] += 1
                        return rule.fault
        return None

    def faults(self) -> int:
        """How many requests were touched."""
        with self.lock:
            return self.happened.total()

    def handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 120

            def log_message(self, *_):
                pass

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fault = proxy.fault(self.command, self.path)
                if fault == LATENCY:
                    time.sleep(proxy.dice.uniform(0.05, 1.0))
                elif fault == RESET_BEFORE:
                    return self.reset()
                elif fault == ERROR:
                    return self.answer_error(500, "InternalError")
                elif fault == SLOW_DOWN:
                    return self.answer_error(503, "SlowDown", {"Retry-After": "1"})
                elif fault == CUT_UPLOAD and body:
                    self.forward_half(body)
                    return self.reset()
                status, headers, answer = self.forward(body)
                if fault == RESET_AFTER:
                    return self.reset()
                if fault == UNCONDITIONAL and status in (409, 412):
                    status, headers, answer = 200, [("ETag", '"0"')], b""
                if fault == ERROR_AFTER:
                    return self.answer_error(500, "InternalError")
                self.send_response_only(status)
                for name, value in headers:
                    self.send_header(name, value)
                if self.command != "HEAD":
                    self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if self.command == "HEAD":
                    return None
                if fault == CUT_DOWNLOAD and len(answer) > 1:
                    self.wfile.write(answer[: len(answer) // 2])
                    self.wfile.flush()
                    return self.reset()
                self.wfile.write(answer)

            def forward(self, body: bytes):
                upstream = http.client.HTTPConnection("127.0.0.1", proxy.upstream, timeout=120)
                try:
                    upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                    self.put_headers(upstream)
                    upstream.endheaders(body or None)
                    answer = upstream.getresponse()
                    found = answer.read()
                    length = {"content-length"} if self.command != "HEAD" else set()
                    kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP | length]
                    return answer.status, kept, found
                finally:
                    upstream.close()

            def forward_half(self, body: bytes):
                upstream = http.client.HTTPConnection("127.0.0.1", proxy.upstream, timeout=120)
                try:
                    upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                    self.put_headers(upstream)
                    upstream.endheaders(body[: len(body) // 2])
                except OSError:
                    pass  # a store may hang up on half a request
                finally:
                    upstream.close()

            def put_headers(self, upstream):
                for name, value in self.headers.items():
                    if name.lower() not in HOP_BY_HOP:
                        upstream.putheader(name, value)

            def answer_error(self, status: int, code: str, headers: dict[str, str] | None = None):
                text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>injected</Message></Error>'.encode()
                self.send_response_only(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            def reset(self):
                """Ends the connection with a reset instead of a farewell."""
                self.close_connection = True
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

            def safely(self):
                try:
                    self.handle_one()
                except (OSError, ValueError, http.client.HTTPException):
                    self.close_connection = True

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = safely

            def finish(self):
                try:
                    super().finish()
                except (OSError, ValueError):
                    pass

        return Handler
