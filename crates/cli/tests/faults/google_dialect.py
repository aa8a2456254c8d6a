"""Google Cloud Storage's dialect of the protocol, in front of a server that speaks S3.

Google's XML protocol is S3's but for a few headers. What the program sends of it is put into S3's words, and what is not
known here is refused, so that nothing is passed on that means something else there.
"""

from urllib.parse import unquote

from relay import HOP_BY_HOP, Headers, Relay, RelayHandler

HEADERS = {"x-goog-copy-source": "x-amz-copy-source"}
CREATE = "x-goog-if-generation-match"  # 0: only if there is no such object
# Moto wants to know who asks and checks no signature.
SIGNED = "AWS4-HMAC-SHA256 Credential=testkey/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


class GoogleDialect(Relay):
    """Takes requests in Google's dialect and passes them on in S3's."""

    def __init__(self, upstream: int):
        super().__init__(handler(upstream))


def translated(headers) -> Headers | None:
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


def handler(upstream: int) -> type[RelayHandler]:
    class Handler(RelayHandler):
        def handle_one(self, body: bytes) -> None:
            headers = translated(self.headers)
            if headers is None:
                return self.answer(400, [], b"")
            # Google's names are one escaped word, S3's have their slashes.
            path, _, query = self.path.partition("?")
            path = path.replace("%2F", "/") + (f"?{query}" if query else "")
            return self.answer(*self.forward(upstream, path, headers, body))

    return Handler
