"""A proxy in front of an object store that does to requests what networks and busy stores do to them.

Every request is read whole, matched against rules, and passed on over a connection of its own. The dice are seeded, but
requests arrive in an order that differs from run to run: a seed says how much goes wrong, not exactly where.
"""

import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass
from urllib.parse import unquote

from relay import HOP_BY_HOP, Headers, Relay, RelayHandler

# What can be done to a request, and what the client then knows.
LATENCY = "latency"  # it takes longer
RESET_BEFORE = "reset before"  # not applied; the connection is reset
RESET_AFTER = "reset after"  # applied; the connection is reset before the answer
ERROR = "500"  # not applied
ERROR_AFTER = "500 after"  # applied, and reported as failed
SLOW_DOWN = "503 slow down"  # not applied, with Retry-After
CUT_UPLOAD = "cut upload"  # half of the request arrives at the store
CUT_DOWNLOAD = "cut download"  # half of the answer arrives at the client
UNCONDITIONAL = "unconditional"  # a put that the store refuses because there is such an object is reported as done


@dataclass
class Rule:
    """A fault for requests whose method and path match, with a chance, so often at most."""

    fault: str
    method: str = ".*"
    path: str = ".*"
    chance: float = 1.0
    most: int = 1_000_000


class FaultProxy(Relay):
    """A relay that injects faults into requests that match its rules."""

    def __init__(self, upstream: int, seed: int = 0):
        self.upstream, self.rules, self.happened = upstream, [], Counter()
        self.dice, self.lock = random.Random(seed), threading.Lock()
        super().__init__(handler(self))

    def set(self, rules: list[Rule], seed: int) -> None:
        """Replaces the rules and sets the counts back."""
        with self.lock:
            self.rules, self.happened, self.dice = rules, Counter(), random.Random(seed)

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


def handler(proxy: FaultProxy) -> type[RelayHandler]:
    class Handler(RelayHandler):
        def handle_one(self, body: bytes) -> None:
            fault = proxy.fault(self.command, self.path)
            if fault == LATENCY:
                time.sleep(proxy.dice.uniform(0.05, 1.0))
            elif fault == RESET_BEFORE:
                return self.reset()
            elif fault == ERROR:
                return self.answer_error(500, "InternalError")
            elif fault == SLOW_DOWN:
                return self.answer_error(503, "SlowDown", [("Retry-After", "1")])
            elif fault == CUT_UPLOAD and body:
                self.forward_half(body)
                return self.reset()
            status, headers, answer = self.forward(proxy.upstream, self.path, self.passed_on(), body)
            if fault == RESET_AFTER:
                return self.reset()
            if fault == ERROR_AFTER:
                return self.answer_error(500, "InternalError")
            if fault == UNCONDITIONAL and status in (409, 412):
                status, headers, answer = 200, [("ETag", '"0"')], b""
            if fault == CUT_DOWNLOAD and len(answer) > 1 and self.command != "HEAD":
                self.answer(status, headers, answer, sent=len(answer) // 2)
                return self.reset()
            return self.answer(status, headers, answer)

        def passed_on(self) -> Headers:
            return [(name, value) for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP]

        def forward_half(self, body: bytes) -> None:
            try:
                self.send(proxy.upstream, self.path, self.passed_on(), body[: len(body) // 2]).close()
            except OSError:
                pass  # a store may hang up on half a request

        def answer_error(self, status: int, code: str, headers: Headers | None = None) -> None:
            text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>injected</Message></Error>'
            self.answer(status, [*(headers or []), ("Content-Type", "application/xml")], text.encode())

        def reset(self) -> None:
            """Ends the connection with a reset instead of a farewell."""
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    return Handler
