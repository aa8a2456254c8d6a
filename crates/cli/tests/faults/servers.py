"""Object stores on the loopback address, from packages of PyPI and npm."""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
from azure.core.exceptions import AzureError, ResourceExistsError
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from google_dialect import GoogleDialect

KEY, SECRET = "testkey", "testsecret12"
READER, READER_SECRET = "readerkey", "readersecret12"  # may read and list, nothing else
BUCKET = "throughline"
NOBODY = "http://127.0.0.1:9"  # where nobody listens


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@dataclass
class Refusal:
    """Settings with which the program must end with a code and these words, and without a secret."""

    what: str
    code: int
    words: list[str]
    environment: dict[str, str]
    unset: list[str] = field(default_factory=list)


class Store:
    """A server that runs until it is stopped, with one bucket. Where the program speaks to another port than the server
    that it was started on, that is `self.port`."""

    scheme: str
    container = "bucket"  # what the cloud calls it
    attempts: str  # the variable that limits them
    secrets: list[str] = [SECRET]

    def __init__(self, work: Path):
        self.port = self.server_port = free_port()
        work.mkdir(parents=True, exist_ok=True)
        self.log = (work / f"{self.name}.log").open("wb")
        environment = os.environ | self.server_environment()
        command = self.command(work)
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=environment)
        deadline = time.monotonic() + 90
        while True:
            try:
                self.connect()
                self.put("ready", b"1")
                return
            except (BotoCoreError, ClientError, AzureError) as error:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.stop()
                    raise SystemExit(f"{self.name} does not start: {error}; see {self.log.name}") from error
                time.sleep(0.3)

    def stop(self) -> None:
        """SeaweedFS takes its time when asked, and loses nothing when killed."""
        self.process.kill()
        self.process.wait()
        self.log.close()

    def server_environment(self) -> dict[str, str]:
        return {}

    def place(self, prefix: str, bucket: str = BUCKET) -> str:
        return f"{self.scheme}://{bucket}/{prefix}"

    def refusals(self) -> list[Refusal]:
        """Settings that are wrong for this store."""
        return []

    def elsewhere(self) -> list[tuple[str, str, dict[str, str]]]:
        """Other ways to name a place of this store: what, the place of a prefix without it, the environment."""
        return []


class S3(Store):
    """A server that speaks S3."""

    scheme, attempts = "s3", "AWS_MAX_ATTEMPTS"

    def connect(self) -> None:
        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, max_pool_connections=32)
        self.client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.server_port}",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=config,
        )
        try:
            self.client.create_bucket(Bucket=BUCKET)
        except ClientError as error:
            if "BucketAlready" not in str(error):
                raise

    def upload(self, file: Path, key: str) -> None:
        self.client.upload_file(str(file), BUCKET, key)

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def read(self, key: str) -> bytes:
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def keys(self, beginning: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=beginning)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def environment(self, port: int | None = None) -> dict[str, str]:
        """As for the AWS tools; an endpoint written with http:// needs no further word."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port or self.port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    def table(self, prefix: str) -> tuple[str, dict[str, str]]:
        """Where the package deltalake finds a table, and how."""
        options = S3.environment(self, self.server_port) | {"AWS_ALLOW_HTTP": "true"}
        return f"s3://{BUCKET}/{prefix}", options

    def refusals(self) -> list[Refusal]:
        few = {"AWS_MAX_ATTEMPTS": "3"}
        none = {"AWS_EC2_METADATA_DISABLED": "true"}
        return [
            Refusal("no credentials", 2, ["AWS_ACCESS_KEY_ID"], none, unset=["AWS_ACCESS_KEY_ID"]),
            Refusal("an endpoint where nobody listens", 2, ["cannot be reached", "AWS_ENDPOINT_URL"], few | {"AWS_ENDPOINT_URL": NOBODY}),
            Refusal("a number of attempts that is none", 2, ["AWS_MAX_ATTEMPTS"], {"AWS_MAX_ATTEMPTS": "0"}),
        ]  # fmt: skip


class Moto(S3):
    name = "moto"

    def command(self, work: Path) -> list[str]:
        server = Path(sys.executable).with_name("moto_server")
        return [str(server), "-H", "127.0.0.1", "-p", str(self.server_port)]


class SeaweedFS(S3):
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
        # gRPC listens 10,000 above each port unless it is set otherwise.
        grpc = [f"-{name}.port.grpc={free_port()}" for name in ports] + [f"-s3.port.grpc={free_port()}"]
        return [
            str(Path(sys.executable).with_name("weed")), "server", f"-dir={data}",
            "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-volume.max=500",
            "-master.volumeSizeLimitMB=64", "-volume.preStopSeconds=0", "-filer", "-s3", f"-s3.port={self.server_port}",
            "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={config}",
            *(f"-{name}.port={port}" for name, port in ports.items()), *grpc,
        ]  # fmt: skip

    def refusals(self) -> list[Refusal]:
        reader = {"AWS_ACCESS_KEY_ID": READER, "AWS_SECRET_ACCESS_KEY": READER_SECRET}
        return super().refusals() + [
            Refusal("a wrong secret", 2, ["SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"], {"AWS_SECRET_ACCESS_KEY": "wrong-secret-12"}),
            Refusal("a wrong key", 2, ["InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"], {"AWS_ACCESS_KEY_ID": "nobody"}),
            Refusal("a warehouse that may only be read", 1, ["AccessDenied", "grant read, write and list"], reader),
        ]  # fmt: skip


class Azurite(Store):
    """Microsoft's emulator of Azure Blob Storage, with an account of our own."""

    name, scheme, container, attempts = "azurite", "az", "container", "AZURE_MAX_ATTEMPTS"
    ACCOUNT, ACCOUNT_KEY = "company", "dGhyb3VnaGxpbmUncyBrZXk="
    WRONG_KEY = "bm90IHRoZSBrZXkgb2YgaXQ="
    secrets = [ACCOUNT_KEY, WRONG_KEY, "sig="]

    def command(self, work: Path) -> list[str]:
        server = os.environ.get("AZURITE")
        if not server:
            raise SystemExit("AZURITE names the program azurite-blob (`npm install azurite`), or choose other --stores")
        data = work / "azurite"
        return [
            server, "--blobHost", "127.0.0.1", "--blobPort", str(self.server_port), "--location", str(data),
            "--skipApiVersionCheck", "--disableTelemetry", "--silent",
        ]  # fmt: skip

    def server_environment(self) -> dict[str, str]:
        return {"AZURITE_ACCOUNTS": f"{self.ACCOUNT}:{self.ACCOUNT_KEY}"}

    def address(self, port: int | None = None) -> str:
        return f"http://127.0.0.1:{port or self.port}/{self.ACCOUNT}"

    def connect(self) -> None:
        self.client = ContainerClient(
            self.address(),
            BUCKET,
            credential={"account_name": self.ACCOUNT, "account_key": self.ACCOUNT_KEY},
            transport=RequestsTransport(),
            retry_total=0,
        )
        try:
            self.client.create_container()
        except ResourceExistsError:
            pass

    def upload(self, file: Path, key: str) -> None:
        self.put(key, file.read_bytes())

    def put(self, key: str, content: bytes) -> None:
        self.client.upload_blob(key, content, overwrite=True)

    def read(self, key: str) -> bytes:
        return self.client.download_blob(key).readall()

    def keys(self, beginning: str) -> list[str]:
        return list(self.client.list_blob_names(name_starts_with=beginning))

    def environment(self, port: int | None = None) -> dict[str, str]:
        """As for an account of Azure's, so that the program asks as it asks there."""
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": self.ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": self.ACCOUNT_KEY,
            "AZURE_STORAGE_ENDPOINT": self.address(port),
        }

    def table(self, prefix: str) -> tuple[str, dict[str, str]]:
        return f"az://{BUCKET}/{prefix}", self.environment() | {"AZURE_ALLOW_HTTP": "true"}

    def token(self, permission: str, **until: float) -> str:
        return generate_container_sas(
            self.ACCOUNT,
            BUCKET,
            self.ACCOUNT_KEY,
            permission=ContainerSasPermissions.from_string(permission),
            start=datetime.now(UTC) - timedelta(days=2),
            expiry=datetime.now(UTC) + timedelta(**until),
        )

    def refusals(self) -> list[Refusal]:
        key = ["AZURE_STORAGE_ACCOUNT_KEY"]
        few = {"AZURE_MAX_ATTEMPTS": "3"}
        reader = {"AZURE_STORAGE_SAS_TOKEN": self.token("rl", hours=1)}
        late = {"AZURE_STORAGE_SAS_TOKEN": self.token("racwdl", hours=-1)}
        return [
            Refusal("no account", 2, ["AZURE_STORAGE_ACCOUNT_NAME is not set"], {}, unset=["AZURE_STORAGE_ACCOUNT_NAME"]),
            Refusal("no credentials", 2, ["no credentials", "AZURE_STORAGE_ACCOUNT_KEY"], {}, unset=key),
            Refusal("an endpoint where nobody listens", 2, ["cannot be reached", "AZURE_STORAGE_ENDPOINT"], few | {"AZURE_STORAGE_ENDPOINT": f"{NOBODY}/{self.ACCOUNT}"}),
            Refusal("a number of attempts that is none", 2, ["AZURE_MAX_ATTEMPTS"], {"AZURE_MAX_ATTEMPTS": "0"}),
            Refusal("a wrong key", 2, ["AuthorizationFailure", "check AZURE_STORAGE_ACCOUNT_KEY"], {"AZURE_STORAGE_ACCOUNT_KEY": self.WRONG_KEY}),
            Refusal("a key that is none", 2, ["AZURE_STORAGE_ACCOUNT_KEY is not a key"], {"AZURE_STORAGE_ACCOUNT_KEY": "none!"}),
            Refusal("a warehouse that may only be read", 1, ["AuthorizationPermissionMismatch", "grant read, write"], reader, unset=key),
            Refusal("a token that is over", 2, ["AuthorizationFailure", "AZURE_STORAGE_SAS_TOKEN"], late, unset=key),
        ]  # fmt: skip

    def elsewhere(self) -> list[tuple[str, str, dict[str, str]]]:
        emulator = {"AZURE_STORAGE_USE_EMULATOR": "true", "AZURITE_BLOB_STORAGE_URL": f"http://127.0.0.1:{self.port}"}
        long = f"abfss://{BUCKET}@{self.ACCOUNT}.dfs.core.windows.net/"
        key = {"AZURE_STORAGE_ACCOUNT_NAME": self.ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": self.ACCOUNT_KEY}
        token = {
            "AZURE_STORAGE_ACCOUNT_NAME": self.ACCOUNT,
            "AZURE_STORAGE_ENDPOINT": self.address(),
            "AZURE_STORAGE_SAS_TOKEN": self.token("racwdl", hours=1),
        }
        return [
            ("as an emulator", f"az://{BUCKET}/", emulator | key),
            ("by Azure's long name", long, emulator | key),
            ("with a SAS token", f"azure://{BUCKET}/", token),
        ]


class GoogleOnMoto(Moto):
    """No emulator of Google Cloud Storage that a registry has both speaks the protocol that the program speaks and
    honours conditional puts when two come at once. So this is moto with Google's dialect in front of it: it shows what
    our side does, and nothing of Google's."""

    name, scheme, attempts = "google-dialect", "gs", "GOOGLE_MAX_ATTEMPTS"
    # Without a log-in the program sends no token.
    SERVICE_ACCOUNT = {"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}

    def __init__(self, work: Path):
        super().__init__(work)
        self.dialect = GoogleDialect(self.server_port)
        self.port = self.dialect.port

    def stop(self) -> None:
        if hasattr(self, "dialect"):
            self.dialect.close()
        super().stop()

    def environment(self, port: int | None = None) -> dict[str, str]:
        return {
            "GOOGLE_BASE_URL": f"http://127.0.0.1:{port or self.port}",
            "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(self.SERVICE_ACCOUNT),
        }

    def refusals(self) -> list[Refusal]:
        key = ["GOOGLE_SERVICE_ACCOUNT_KEY"]
        few = {"GOOGLE_MAX_ATTEMPTS": "3"}
        nobody = {"NO_GCE_CHECK": "true", "HOME": "/no/such/home"}
        return [
            Refusal("no credentials", 2, ["no credentials", "GOOGLE_APPLICATION_CREDENTIALS"], nobody, unset=key),
            Refusal("an endpoint where nobody listens", 2, ["cannot be reached", "GOOGLE_BASE_URL"], few | {"GOOGLE_BASE_URL": NOBODY}),
            Refusal("a number of attempts that is none", 2, ["GOOGLE_MAX_ATTEMPTS"], {"GOOGLE_MAX_ATTEMPTS": "0"}),
            Refusal("a file that is not there", 2, ["correct the path"], {"GOOGLE_APPLICATION_CREDENTIALS": "/no/such/key.json"}, unset=key),
        ]  # fmt: skip


STORES = {store.name: store for store in (Moto, SeaweedFS, Azurite, GoogleOnMoto)}
