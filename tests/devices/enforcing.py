"""A running decision point, as its users start it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from domicile.devices.policy.render import point_key

SECONDS = 30


class Running:
    """The process, where it listens, and its key."""

    def __init__(
        self, process: subprocess.Popen[str], url: str, key: str, postfix: str = ""
    ) -> None:
        self.process, self.url, self.postfix = process, url, postfix
        self.client = httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=SECONDS)

    def dovecot(self, device: str, account: str = "", protocol: str = "imap") -> dict[str, Any]:
        """What Dovecot would be answered."""
        asked = {"account": account, "device": device, "protocol": protocol}
        answer: dict[str, Any] = self.client.post("/dovecot?command=allow", json=asked).json()
        return answer

    def kill(self) -> None:
        """End it at once."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(SECONDS)


@contextmanager
def enforcing(
    estate: Path, at: datetime, *options: str, environment: dict[str, str] | None = None
) -> Iterator[Running]:
    """`domicile devices enforce` on a free port, with its clock at that time."""
    process = subprocess.Popen(
        [sys.executable, "-m", "domicile", "devices", "enforce", "--estate", str(estate),
         "--listen", "127.0.0.1:0", "--at", at.isoformat(), "--json", *options],
        stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        document = "".join(iter(process.stdout.readline, "}\n")) + "}"
        where = json.loads(document)
        yield Running(process, where["url"], point_key(estate), where["postfix"] or "")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(SECONDS)
        process.stdout.close() if process.stdout else None
