"""The lake of the made-up platform: what was played, as Parquet files by month.

No foreign key leads from a file to a person; the estate says so with a link.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from random import Random

from domicile.demo.people import EPOCH, MODELS, TODAY, ip_address, moment

TABLE = "playback"
PER_PERSON = 10
MONTHS_BACK = 12


def write_lake(folder: Path, people: int, videos: int, seed: int) -> int:
    """Write the events of the last twelve months; how many. The same for the same arguments."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = Random(seed + 2)
    since = EPOCH.replace(year=TODAY.year - MONTHS_BACK // 12, month=TODAY.month, day=1)
    months: dict[str, list[tuple[int, int, int, str, str, float, object]]] = defaultdict(list)
    count = people * PER_PERSON
    for number in range(1, count + 1):
        at = moment(rng, since)
        months[f"{at:%Y-%m}"].append(
            (
                number,
                int(rng.random() * people) + 1,
                int(rng.random() ** 2 * videos) + 1,
                MODELS[int(rng.random() * len(MODELS))],
                ip_address(rng),
                int(rng.random() * 6_000) / 10,
                at,
            )
        )
    schema = pa.schema(
        [
            ("event_id", pa.int64()),
            ("account_id", pa.int64()),
            ("video_id", pa.int64()),
            ("device_model", pa.string()),
            ("ip", pa.string()),
            ("seconds", pa.float64()),
            ("played_at", pa.timestamp("us", tz="UTC")),
        ]
    )
    (folder / TABLE).mkdir(parents=True)
    for month, rows in sorted(months.items()):
        arrays = [pa.array(column, field.type) for column, field in zip(
            zip(*rows, strict=True), schema, strict=True)]  # fmt: skip
        pq.write_table(pa.table(arrays, schema=schema), folder / TABLE / f"{month}.parquet")
    return count


def count_events(folder: Path, accounts: Collection[int]) -> int:
    """How many events of these accounts are in a lake's files, read with pyarrow alone."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = pa.array(sorted(accounts), pa.int64())
    found = 0
    for file in sorted(folder.rglob("*.parquet")):
        column = pq.ParquetFile(file).read(columns=["account_id"]).column(0)
        found += pc.sum(pc.is_in(column, value_set=wanted)).as_py() or 0
    return found
