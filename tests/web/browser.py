"""Debian's Chromium, headless and without a network, to look at pages that we write.

A page is put into a frame of the wanted width, and a script beside it measures what the browser
made of it: our own pages forbid themselves scripts.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

PROGRAM = "chromium"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=5000",
)  # fmt: skip
SECONDS = 120

MEASURE = Path(__file__).with_name("measure.js")


def program() -> str:
    """Where Chromium is. Raises AssertionError, so that a test without it fails and says why."""
    found = shutil.which(PROGRAM)
    assert found, "the page cannot be looked at: install the package chromium (make deps does)"
    return found


def measure(page: str, width: int, *, dark: bool = False) -> dict[str, Any]:
    """What the browser made of a page at a width in CSS pixels; `console` has its complaints."""
    frame = (
        f'<!doctype html><meta charset="utf-8"><body style="margin:0"><iframe id="frame" '
        f'style="border:0;width:{width}px;height:900px" srcdoc="{html.escape(page)}"></iframe>'
        f'<pre id="found"></pre><script>{MEASURE.read_text("utf-8")}'
        "</script>"
    )
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "frame.html"
        file.write_text(frame, encoding="utf-8")
        done = subprocess.run(
            [program(), *FLAGS, *(["--force-dark-mode"] if dark else []),
             f"--user-data-dir={name}/profile", f"--window-size={max(width, 800)},1000",
             "--dump-dom", file.as_uri()],
            capture_output=True, text=True, timeout=SECONDS, check=True,
        )  # fmt: skip
    found = re.search(r'id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the page was not measured:\n{done.stderr[-2000:]}"
    measured: dict[str, Any] = json.loads(html.unescape(found[1]))
    measured["console"] = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return measured
