"""The README's transcripts are run, and after them those of docs/devices.md, which go on with what
the README made; in order, in one temporary folder.

A block counts when it is a ```console block right after the line `<!-- run -->`. Lines after `$ `
are commands; what follows is compared loosely: any figure stands for any figure, a word's `...`
for its rest, and a line `...` for any number of lines.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

BLOCK = re.compile(r"^<!-- run -->\n```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"\d+(?:[,.:]\d+)*")
SECONDS = 180


def transcripts(markdown: str) -> list[tuple[str, str]]:
    """The marked commands of a text, each with the output shown for it."""
    steps: list[tuple[str, str]] = []
    for block in BLOCK.findall(markdown):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            steps.append((command, shown))
    return steps


def agrees(shown: str, got: str) -> bool:
    """Whether an output is what the README shows, figures and elided lines aside."""
    lines = []
    for line in shown.rstrip().splitlines():
        if line.strip() == "...":
            lines.append(r"(?:.*\n)*?")
        else:
            lines.append(r"\s*" + r"\s+".join(_loose(word) for word in line.split()) + r"\s*\n")
    return re.fullmatch("".join(lines), got.rstrip() + "\n" if got.strip() else "") is not None


def _loose(word: str) -> str:
    parts = FIGURE.split(word.removesuffix("..."))
    rest = r"\S*" if word.endswith("...") else ""
    return r"\d[\d,.:]*".join(re.escape(part) for part in parts) + rest


def test_the_transcripts_run(tmp_path: Path) -> None:
    steps = []
    for page in ("README.md", "docs/devices.md"):
        found = transcripts((ROOT / page).read_text(encoding="utf-8"))
        assert found, f"{page} has no marked transcript"
        steps += found
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "domicile").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m domicile "$@"\n')
    (bin_dir / "domicile").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{bin_dir}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "NO_COLOR": "1",
    }
    folder = tmp_path / "work"
    folder.mkdir()

    def run(command: str) -> str:
        return subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, timeout=SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        ).stdout  # fmt: skip

    try:
        for command, shown in steps:
            got = run(command)
            assert agrees(shown, got), f"$ {command}\n{got}\nthe page:\n{shown}"
    finally:
        if (folder / "domicile-demo").exists():  # a transcript that broke off leaves servers up
            run("domicile demo --remove")


@pytest.mark.parametrize(
    ("shown", "got", "expected"),
    [
        ("moved 12,345 rows\n", "moved 7 rows\n", True),
        ("moved 12 rows\n", "held 12 rows\n", False),
        ("a\n...\nz\n", "a\nb\nc\nz\n", True),
        ("a\n...\nz\n", "a\nb\n", False),
        ("key sha256:...\n", "key sha256:0f1e\n", True),
        ("key sha256:...\n", "key md5:0f1e\n", False),
        ("  x   1\n", " x 22.5\n", True),
        ("", "something\n", False),
        ("", "", True),
    ],
)
def test_loosely_is_not_anything(shown: str, got: str, expected: bool) -> None:
    assert agrees(shown, got) is expected


def test_only_marked_blocks_count() -> None:
    text = "```console\n$ rm x\n```\n\n<!-- run -->\n```console\n$ a\nb\n$ c\n```\n"
    assert transcripts(text) == [("a", "b\n"), ("c", "")]
