"""Made-up bans, fleets and devices for the tests of devices."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from domicile.devices.ban import Ban, compile_ban
from domicile.estate.load import load_estate
from domicile.law.load import load_mandates

TIKTOK = "com.zhiliaoapp.musically"

DEADLINE = datetime(2023, 3, 15, tzinfo=UTC)
"""The first moment at which a device with the app is refused under `MANDATE`."""

MANDATE = """\
mandate: ban
title: The app leaves our devices
status: in_force
effective: 2023-02-23
protects: {}
clauses:
  - id: remove
    install:
      apps:
        android: [com.zhiliaoapp.musically, com.ss.android.ugc.trill]
        ios: com.zhiliaoapp.musically
        windows: BytedancePte.Ltd.TikTok_6yccndn6064se
      titles: [TikTok]
      sdks: [com.bytedance.sdk.openadsdk]
      domains: [tiktok.com, tiktokcdn.com]
      devices: [corporate, enrolled_personal]
      by: 2023-03-15
      exceptions: [security research]
    otherwise: block
"""

ESTATE = """\
estate: commission
fleets:
  phones: {source: csv, file: phones.csv}
"""


def write_estate(directory: Path, estate: str = ESTATE, mandate: str = MANDATE) -> Path:
    """An estate with one ban; the path of its file."""
    (directory / "mandates").mkdir(exist_ok=True)
    (directory / "mandates" / "ban.yaml").write_text(mandate, encoding="utf-8")
    file = directory / "estate.yaml"
    file.write_text(estate, encoding="utf-8")
    return file


def make_ban(directory: Path, mandate: str = MANDATE, estate: str = ESTATE) -> Ban:
    """The ban of a mandate."""
    loaded = load_estate(write_estate(directory, estate, mandate))
    return compile_ban(load_mandates(loaded), loaded)
