"""Made-up people: accounts, addresses, families and devices, the same for the same seed.

Names and streets are Faker's, drawn from pools so that 20,000 people take a second. E-mail domains
are those of RFC 2606, telephone numbers those that the American and British plans keep for
fiction, IP addresses those of RFC 5737: nobody real can be met by chance.
"""

from __future__ import annotations

import json
import unicodedata
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any

from domicile.demo.world import COUNTRIES, Country

Row = tuple[Any, ...]

TODAY = date(2026, 1, 15)  # the day on which the platform stands still
EPOCH = datetime(2019, 6, 1, tzinfo=UTC)  # when it opened
DAYS_OPEN = (TODAY - EPOCH.date()).days

POOL = 120  # names and streets that Faker makes for each country
NO_ADDRESS = 0.01  # of the people: their residence is unknown
NO_BIRTH_DATE = 0.03
CHILD = 0.17  # of the people, of 10 to 15 years; two thirds live with a parent on the platform
WITH_PARENT = 0.66
DOMAINS = ("example.com", "example.net", "example.org")
NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
AREA_CODES = (
    202, 205, 206, 207, 208, 209, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228, 229, 231,
    234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302, 303,
    304, 305, 307, 308, 309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 325,
)  # fmt: skip
MODELS = ("Pixel 8", "Pixel 9a", "Galaxy S24", "Galaxy A55", "iPhone 14", "iPhone 16", "Redmi 13")


@dataclass(frozen=True)
class Pool:
    """What Faker made for one country."""

    country: Country
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    streets: tuple[str, ...]
    postcodes: tuple[str, ...]
    cities: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class People:
    """Rows of the tables about people alone, and who lives in which country."""

    addresses: list[Row]
    accounts: list[Row]
    families: list[Row]
    devices: list[Row]
    country_of: list[int]  # by account number minus one: index in COUNTRIES, also of the unknown
    handles: list[str]


def make_pools(seed: int) -> list[Pool]:
    """Faker's names, streets, cities and sentences for each country of COUNTRIES, in order."""
    from faker import Faker

    pools = []
    for number, country in enumerate(COUNTRIES):
        fake = Faker(country.locale, use_weighting=False)
        fake.seed_instance(seed * 1000 + number)
        each = range(POOL)
        pools.append(
            Pool(
                country,
                tuple(fake.first_name() for _ in each),
                tuple(fake.last_name() for _ in each),
                tuple(" ".join(fake.street_address().split()) for _ in each),
                tuple(fake.postcode() for _ in each),
                tuple(fake.city() for _ in each),
                tuple(fake.sentence(nb_words=8) for _ in each),
            )
        )
    return pools


def make_people(count: int, seed: int, pools: list[Pool]) -> People:
    """`count` people with addresses, some in families, and one or two devices each."""
    rng = Random(seed)
    people = People([], [], [], [], [], [])
    weights = list(accumulate(pool.country.share for pool in pools))
    countries = rng.choices(range(len(pools)), cum_weights=weights, k=count)
    adults: dict[int, list[int]] = {}
    taken: set[str] = set()
    residents: Counter[int] = Counter()
    for number, country in enumerate(countries, start=1):
        residents[country] += 1
        pool = pools[country]
        child = rng.random() < CHILD
        parent = 0
        if child and rng.random() < WITH_PARENT and adults.get(country):
            parent = rng.choice(adults[country])
        address = _address(rng, people, pool, country, parent)
        first, last = rng.choice(pool.first_names), rng.choice(pool.last_names)
        handle = _handle(first, last, number, taken)
        people.accounts.append(
            (
                number,
                handle,
                f"{handle}@{rng.choice(DOMAINS)}",
                f"{first} {last}",
                _phone(rng, pool.country, residents[country]),
                _born(rng, child=child),
                address,
                f"$argon2id$v=19$m=19456,t=2,p=1${rng.getrandbits(128):032x}",
                json.dumps({"theme": rng.choice(("dark", "light")), "lang": pool.country.locale}),
                moment(rng),
            )
        )
        people.country_of.append(country)
        people.handles.append(handle)
        if parent:
            people.families.append((parent, number))
        elif not child:
            adults.setdefault(country, []).append(number)
        for _ in range(1 + (rng.random() < 0.4)):
            people.devices.append(_device(rng, number, len(people.devices) + 1))
    return people


def moment(rng: Random, after: datetime = EPOCH) -> datetime:
    """A moment between `after` and TODAY, to the millisecond."""
    open_for = (datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC) - after).total_seconds()
    return after + timedelta(milliseconds=int(rng.random() * open_for * 1000))


def ip_address(rng: Random) -> str:
    """An address of the networks that RFC 5737 keeps for documentation."""
    return f"{rng.choice(NETWORKS)}.{int(rng.random() * 254) + 1}"


def _address(rng: Random, people: People, pool: Pool, country: int, parent: int) -> int | None:
    """The number of a new address, the parent's, or none."""
    if parent:
        shared: int | None = people.accounts[parent - 1][6]
        return shared
    if rng.random() < NO_ADDRESS:
        return None
    number = len(people.addresses) + 1
    people.addresses.append(
        (
            number,
            rng.choice(pool.streets),
            rng.choice(pool.postcodes),
            rng.choice(pool.cities),
            country + 1,
        )
    )
    return number


def _handle(first: str, last: str, number: int, taken: set[str]) -> str:
    """A name for the platform: letters of ASCII where the name has any, and unique."""
    text = unicodedata.normalize("NFKD", f"{first}.{last}").encode("ascii", "ignore").decode()
    stem = "".join(c for c in text.lower() if c.isalnum() or c == ".").strip(".")
    handle = stem if len(stem) > 3 and stem not in taken else f"{stem or 'user'}{number}"
    taken.add(handle)
    return handle


def _phone(rng: Random, country: Country, number: int) -> str | None:
    """A number of fiction; Americans get each their own as long as these last (5,600)."""
    if rng.random() < 0.2:
        return None
    if country.code == "US":
        area = AREA_CODES[number // 100 % len(AREA_CODES)]
        return f"+1{area}55501{number % 100:02d}"
    return f"+447700900{int(rng.random() * 1000):03d}"


def _born(rng: Random, *, child: bool) -> date | None:
    if rng.random() < NO_BIRTH_DATE:
        return None
    youngest, oldest = (10, 16) if child else (16, 75)
    days = youngest * 365.2425 + rng.random() * (oldest - youngest) * 365.2425
    return TODAY - timedelta(days=int(days) + 1)


def _device(rng: Random, account: int, number: int) -> Row:
    return (
        number,
        account,
        rng.choice(MODELS),
        uuid.UUID(int=rng.getrandbits(128), version=4),
        ip_address(rng),
        moment(rng),
    )
