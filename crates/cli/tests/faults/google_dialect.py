"""Google Cloud Storage's dialect of the protocol, in front of a server that speaks S3.

Google's XML protocol is S3's but for a few headers. What the program sends of it is put into S3's words, and what is not
known here is refused, so that nothing is passed on that means something else there.
"""

import http.client
import threading
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote

from fault_proxy import HOP_BY_HOP, Server

HEADERS = {"x-goog-copy-source": "x-amz-copy-source"}
CREATE = "x-goog-if-generation-match"  # 0: only if there is no such object
# Moto wants to be told who asks and looks at no signature.
SIGNED = "AWS4-HMAC-SHA256 Credential=testkey/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


class GoogleDialect:
    """Listens on a free port of the loopback address until it is closed."""

    def __init__(self, upstream: int):
        self.server = Server(("127.0.0.1", 0), handler(upstream))
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def translated(headers) -> list[tuple[str, str]] | None:
    """The headers in S3's words; `None` when one of Google's has none."""
    found = [("authorization", SIGNED)]
    for name, value in headers.items():
        name = name.lower()
        if name in HOP_BY_HOP or name in ("authorization", "host"):
            continue
        if name == CREATE and value.strip() == "0":
            found.append(("if-none-match", "*"))
        elif name in HEADERS:
            found.append((HEADERS[name], unquote(value)))
        elif name.startswith("x-goog-"):
            return None
        else:
            found.append((name, value))
    return found


def handler(upstream: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 120

        def log_message(self, *_):
            pass

        def handle_one(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = translated(self.headers)
            if headers is None:
                return self.answer(400, [], b"")
            # Google's names are one escaped word, S3's have their slashes.
            path, _, query = self.path.partition("?")
            path = path.replace("%2F", "/") + (f"?{query}" if query else "")
            connection = http.client.HTTPConnection("127.0.0.1", upstream, timeout=120)
            try:
                connection.putrequest(self.command, path, skip_accept_encoding=True)
                for name, value in headers:
                    connection.putheader(name, value)
                connection.endheaders(body or None)
                found = connection.getresponse()
                answer = found.read()
                length = set() if self.command == "HEAD" else {"content-length"}
                kept = [(k, v) for k, v in found.getheaders() if k.lower() not in HOP_BY_HOP | length]
            finally:
                connection.close()
            return self.answer(found.status, kept, answer)

        def answer(self, status: int, headers: list[tuple[str, str]], body: bytes):
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def safely(self):
            try:
                self.handle_one()
            except (OSError, ValueError, http.client.HTTPException):
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = safely

    return Handler
