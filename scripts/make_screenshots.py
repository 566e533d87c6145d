"""Takes the pictures of docs/images anew, from real pages of a made-up institution: `make
screenshots`. It needs what the tests need (Chromium, the virtual environment)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from domicile.cli.main import main as domicile  # noqa: E402
from domicile.demo import fleet  # noqa: E402
from domicile.devices import owner, visits  # noqa: E402
from domicile.devices.record import DeviceRecord  # noqa: E402
from domicile.evidence import place  # noqa: E402
from tests.devices.mailbox import Mailbox, mailbox  # noqa: E402
from tests.web.browser import FLAGS, program  # noqa: E402

IMAGES = ROOT / "docs" / "images"
DAY = timedelta(days=1)
MOST = 1_000_000  # bytes of a picture


def main() -> None:
    """Both pages in both languages."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, mailbox() as box:
        folder = Path(name)
        estate = play(folder / "institution", box)
        now = fleet.DEADLINE + timedelta(hours=9)
        for language in ("en", "nl"):
            page = folder / f"owner.{language}.html"
            page.write_text(owners_page(estate, language, now), encoding="utf-8")
            picture(page, f"devices-owner.{language}.png", 900, 860)
            page = folder / f"board.{language}.html"
            run("report", "--language", language, "-o", str(page), "--estate", str(estate),
                at=now + 9 * DAY)  # fmt: skip
            picture(page, f"devices-board.{language}.png", 1100, 1230)


def play(folder: Path, box: Mailbox) -> Path:
    """Announced, reminded, the deadline, and some days in which the app goes."""
    estate = fleet.declare(folder)
    text = estate.read_text(encoding="utf-8")
    estate.write_text(text.replace("127.0.0.1:25", f"127.0.0.1:{box.port}"), encoding="utf-8")
    having = set(fleet.WITH_APP)
    for days, gone in ((-40, ()), (-30, (9, 10, 11, 12)), (-20, (8,)), (-7, (7,)), (-1, (5, 6)),
                       (0, ()), (1, (3,)), (4, (4,)), (8, (2,))):  # fmt: skip
        having -= set(gone)
        now = fleet.DEADLINE + days * DAY + timedelta(hours=8)
        fleet.report(folder, having, now)
        run("sync", "--estate", str(estate), at=now)
        run("notify", "--estate", str(estate), at=now)
    return estate


def owners_page(estate: Path, language: str, now: datetime) -> str:
    """The page of the first owner, who has two devices."""
    record = DeviceRecord(place.state_directory(estate))
    who = f"{fleet.NAMES[0]}@example.org"
    link = visits.invite(record, [who], datetime.now(UTC))[who]
    record.close()
    status, page = owner.page(estate, link, language, now)
    assert status == 200
    return page


def run(command: str, *arguments: str, at: datetime) -> None:
    """One command about devices."""
    code = domicile(["devices", command, *arguments, "--at", at.isoformat(), "--quiet"])
    assert code == 0, command


def picture(page: Path, name: str, width: int, height: int) -> None:
    """What the browser shows of a page."""
    target = IMAGES / name
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [program(), *FLAGS, "--hide-scrollbars", f"--user-data-dir={profile}",
             f"--window-size={width},{height}", f"--screenshot={target}", page.as_uri()],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
    size = target.stat().st_size
    assert size < MOST, f"{name} has {size:,} bytes"
    print(f"{target.relative_to(ROOT)}: {size:,} bytes")


main()
