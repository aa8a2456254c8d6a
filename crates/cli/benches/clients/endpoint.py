"""A published sample and `throughline serve` over it, on free ports of the loopback."""

import json
import os
import pathlib
import subprocess
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[4]
AS_OF = "2026-10-01"


class Endpoint:
    """Runs until `stop`; `events` holds what it tells."""

    def __init__(self, program, data, customers):
        self.program = str(pathlib.Path(program).resolve())
        data = pathlib.Path(data).resolve()
        self.lake, self.warehouse = data / "lake", data / "warehouse"
        self.environment = {**os.environ, "LAKE": str(self.lake), "WAREHOUSE": str(self.warehouse)}
        self.environment.pop("THROUGHLINE_PASSWORD", None)
        if not (self.warehouse / "_runs").exists():
            self._call("sample", "--customers", str(customers), "--out", str(self.lake))
            self._call("run", "--as-of", AS_OF)
        command = [self.program, "serve", "--port", "0", "--flight-port", "0", "--log-format", "json"]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, env=self.environment, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        self.events = []
        threading.Thread(target=self._hear, daemon=True).start()
        self.port = self._listening("postgresql")
        self.flight_port = self._listening("flight_sql")

    def _call(self, *arguments):
        subprocess.run([self.program, *arguments], cwd=REPOSITORY, env=self.environment, check=True, timeout=600,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _hear(self):
        for line in self.process.stderr:
            try:
                self.events.append(json.loads(line))
            except ValueError:
                self.events.append({"event": "text", "line": line.rstrip()})

    def _listening(self, protocol):
        for _ in range(300):
            for event in list(self.events):
                if event["event"] == "listening" and event["protocol"] == protocol:
                    return int(event["address"].rsplit(":", 1)[1])
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise SystemExit(f"the endpoint does not start: {self.events}")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
