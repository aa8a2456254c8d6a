"""Object stores on the loopback address, from packages of PyPI."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

KEY, SECRET = "testkey", "testsecret12"
READER, READER_SECRET = "readerkey", "readersecret12"  # may read and list, nothing else
BUCKET = "throughline"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Store:
    """A server that runs until it is stopped, with one bucket."""

    checks_credentials = True

    def __init__(self, work: Path):
        self.port = free_port()
        work.mkdir(parents=True, exist_ok=True)
        self.log = (work / f"{self.name}.log").open("wb")
        self.process = subprocess.Popen(self.command(work), stdout=self.log, stderr=self.log)
        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, max_pool_connections=32)
        self.client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=config,
        )
        deadline = time.monotonic() + 90
        while True:
            try:
                self.client.create_bucket(Bucket=BUCKET)
                self.client.put_object(Bucket=BUCKET, Key="ready", Body=b"1")
                return
            except (BotoCoreError, ClientError) as error:
                if "BucketAlready" in str(error):
                    continue
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.stop()
                    raise SystemExit(f"{self.name} does not start: {error}; see {self.log.name}") from error
                time.sleep(0.3)

    def stop(self) -> None:
        """SeaweedFS takes its time when asked, and loses nothing when killed."""
        self.process.kill()
        self.process.wait()
        self.log.close()

    def environment(self, port: int | None = None) -> dict[str, str]:
        """As for the AWS tools; an endpoint written with http:// needs no further word."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port or self.port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    def options(self) -> dict[str, str]:
        return self.environment() | {"AWS_ALLOW_HTTP": "true"}


class Moto(Store):
    name = "moto"
    checks_credentials = False

    def command(self, work: Path) -> list[str]:
        server = Path(sys.executable).with_name("moto_server")
        return [str(server), "-H", "127.0.0.1", "-p", str(self.port)]


class SeaweedFS(Store):
    name = "seaweedfs"

    def command(self, work: Path) -> list[str]:
        identity = lambda name, key, secret, actions: {
            "name": name,
            "credentials": [{"accessKey": key, "secretKey": secret}],
            "actions": actions,
        }
        config = work / "identities.json"
        everything = ["Admin", "Read", "Write", "List", "Tagging"]
        identities = [
            identity("test", KEY, SECRET, everything),
            identity("reader", READER, READER_SECRET, ["Read", "List"]),
        ]
        config.write_text(json.dumps({"identities": identities}))
        data = work / "seaweedfs"
        data.mkdir(exist_ok=True)
        ports = {name: free_port() for name in ("master", "volume", "filer")}
        # gRPC listens 10,000 above each port unless told otherwise.
        grpc = [f"-{name}.port.grpc={free_port()}" for name in ports] + [f"-s3.port.grpc={free_port()}"]
        return [
            str(Path(sys.executable).with_name("weed")), "server", f"-dir={data}",
            "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-volume.max=500",
            "-master.volumeSizeLimitMB=64", "-volume.preStopSeconds=0", "-filer", "-s3", f"-s3.port={self.port}",
            "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={config}",
            *(f"-{name}.port={port}" for name, port in ports.items()), *grpc,
        ]  # fmt: skip


STORES = {"moto": Moto, "seaweedfs": SeaweedFS}
