"""A labelled set of columns for `bench/classification.py`. Made up: no row of it is anybody's.

Tables as different houses write them: snake, camel, shouting, abbreviated, in six languages, with
names that say nothing, and with columns that look like people and are not. A label was given to a
column when it was written down here, before it was first classified; where two categories are as
good, the label has both. Values come from Faker, seeded, and from the generators below.

One line a column: name, kind, generator, label. `-` is system.operations; a generator `>table` is
a foreign key.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

from faker import Faker

from bench.labelled_tables import TABLES
from domicile.stores.schema import Column, ForeignKey, Key, Kind, Table

ROWS = 200
SEED = 20260123

_LOCALES = {
    "en": "en_US",
    "nl": "nl_NL",
    "de": "de_DE",
    "fr": "fr_FR",
    "es": "es_ES",
    "it": "it_IT",
}


@dataclass(frozen=True)
class Labelled:
    """One table with its sample and, for each column, the categories that are right."""

    table: Table
    samples: dict[str, list[str | None]]
    labels: dict[str, tuple[str, ...]]


def labelled() -> Iterator[Labelled]:
    """Every table of the set, always the same."""
    made = random.Random(SEED)  # sample values, not secrets
    fakers = {short: Faker(locale) for short, locale in _LOCALES.items()}
    for block in TABLES.strip().split("\n\n"):
        head, *lines = [line for line in block.splitlines() if line.strip()]
        name, language = head.split()
        faker = fakers[language]
        faker.seed_instance(made.randrange(2**32))
        columns, keys, foreign, samples, labels = [], [], [], {}, {}
        for number, line in enumerate(lines):
            column, kind, generator, label = line.split()
            columns.append(Column(column, kind, cast(Kind, kind)))
            labels[column] = tuple(
                "system.operations" if one == "-" else f"user.{one}" for one in label.split("|")
            )
            if generator.startswith(">"):
                foreign.append(ForeignKey((column,), generator[1:], ("id",)))
                generator = "int"
            elif number == 0 and generator in ("serial", "uuid"):
                keys.append(Key((column,), primary=True))
            make = GENERATORS[generator]
            samples[column] = [make(faker, made, row) for row in range(ROWS)]
        table = Table(name, tuple(columns), tuple(keys), tuple(foreign))
        yield Labelled(table, samples, labels)


def _bsn(r: random.Random) -> str:
    while True:
        digits = [r.randrange(10) for _ in range(8)]
        check = sum(w * d for w, d in zip(range(9, 1, -1), digits, strict=True)) % 11
        if check < 10 and any(digits):
            return "".join(map(str, [*digits, check]))


def _luhn(r: random.Random, start: str, length: int) -> str:
    body = start + "".join(r.choices(string.digits, k=length - len(start) - 1))
    total = sum(
        sum(divmod(2 * int(d), 10)) if n % 2 == 0 else int(d) for n, d in enumerate(reversed(body))
    )
    return body + str(-total % 10)


def _dni(r: random.Random) -> str:
    number = r.randrange(10**7, 10**8)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def _hex(r: random.Random, size: int) -> str:
    return "".join(r.choices("0123456789abcdef", k=size))


def _token(r: random.Random, size: int) -> str:
    return base64.urlsafe_b64encode(r.randbytes(size)).decode().rstrip("=")


Make = Callable[[Faker, random.Random, int], str | None]


def _of(*values: str) -> Make:
    return lambda f, r, n: r.choice(values)


def _now_and_then(make: Make, other: Make, share: float) -> Make:
    return lambda f, r, n: make(f, r, n) if r.random() < share else other(f, r, n)


def _note(f: Faker, r: random.Random, n: int) -> str:
    return f.paragraph(3)


GENERATORS: dict[str, Make] = {
    "serial": lambda f, r, n: str(1000 + n),
    "int": lambda f, r, n: str(r.randrange(1, 5000)),
    "small": lambda f, r, n: str(r.randrange(0, 6)),
    "nine": lambda f, r, n: str(100_000_000 + 37 * n),
    "year": lambda f, r, n: str(r.randrange(1950, 2025)),
    "threedigits": lambda f, r, n: str(r.randrange(100, 999)),
    "age": lambda f, r, n: str(r.randrange(13, 95)),
    "cents": lambda f, r, n: f"{r.randrange(100, 99999) / 100:.2f}",
    "salary": lambda f, r, n: str(r.randrange(18, 120) * 1000),
    "big": lambda f, r, n: str(r.randrange(10**9, 10**10)),
    "epoch": lambda f, r, n: str(1_600_000_000 + r.randrange(10**8)),
    "ratio": lambda f, r, n: f"{r.random():.4f}",
    "bool": _of("true", "false"),
    "yn": _of("Y", "N"),
    "null": lambda f, r, n: None,
    "uuid": lambda f, r, n: f.uuid4(),
    "date": lambda f, r, n: str(f.date_between("-3y")),
    "born": lambda f, r, n: str(f.date_of_birth(minimum_age=8, maximum_age=95)),
    "eurodate": lambda f, r, n: f.date_of_birth().strftime("%d.%m.%Y"),
    "stamp": lambda f, r, n: f"{f.date_time_this_decade()}+00",
    "first": lambda f, r, n: f.first_name(),
    "last": lambda f, r, n: f.last_name(),
    "full": lambda f, r, n: f"{f.first_name()} {f.last_name()}",
    "initial": lambda f, r, n: r.choice(string.ascii_uppercase) + ".",
    "email": lambda f, r, n: f.email(),
    "emailornull": _now_and_then(lambda f, r, n: f.email(), lambda f, r, n: None, 0.1),
    "user": lambda f, r, n: f.user_name(),
    "phone": lambda f, r, n: f.phone_number(),
    "e164": lambda f, r, n: f"+316{r.randrange(10**7, 10**8)}",
    "barephone": lambda f, r, n: f"06{r.randrange(10**7, 10**8)}",
    "street": lambda f, r, n: f.street_address(),
    "streetname": lambda f, r, n: f.street_name(),
    "houseno": lambda f, r, n: str(r.randrange(1, 300)),
    "city": lambda f, r, n: f.city(),
    "zip": lambda f, r, n: f.postcode(),
    "region": _of("Noord-Holland", "Utrecht", "Texas", "Bayern", "Ohio", "Bretagne", "Murcia"),
    "country": lambda f, r, n: f.current_country(),
    "countries": _of("Netherlands", "Germany", "France", "Spain", "United States", "Canada"),
    "cc": lambda f, r, n: f.country_code(),
    "language": _of("en", "nl", "de", "fr", "es"),
    "locale": _of("en_US", "nl_NL", "de_DE"),
    "tz": _of("Europe/Amsterdam", "America/New_York", "UTC"),
    "ip": lambda f, r, n: f.ipv4_public(),
    "ip6": lambda f, r, n: f.ipv6(),
    "mac": lambda f, r, n: f.mac_address(),
    "agent": lambda f, r, n: f.user_agent(),
    "imei": lambda f, r, n: _luhn(r, "35", 15),
    "url": lambda f, r, n: f.url(),
    "path": lambda f, r, n: f"/files/{_hex(r, 8)}.pdf",
    "image": lambda f, r, n: f"https://img.example.org/{_hex(r, 12)}.jpg",
    "iban": lambda f, r, n: f.iban(),
    "bic": lambda f, r, n: f.swift(),
    "card": lambda f, r, n: _luhn(r, r.choice(["4", "51", "55"]), 16),
    "last4": lambda f, r, n: f"{r.randrange(10000):04}",
    "expiry": lambda f, r, n: f"{r.randrange(1, 13):02}/{r.randrange(25, 31)}",
    "bsn": lambda f, r, n: _bsn(r),
    "dni": lambda f, r, n: _dni(r),
    "ssn": lambda f, r, n: (
        f"{r.randrange(1, 665):03}-{r.randrange(1, 99):02}-{r.randrange(1, 9999):04}"
    ),
    "passport": lambda f, r, n: f"N{r.choice('WXYZ')}{_hex(r, 7).upper()}",
    "plate": lambda f, r, n: f.license_plate(),
    "bcrypt": lambda f, r, n: "$2b$12$" + _token(r, 39)[:53].replace("-", ".").replace("_", "/"),
    "argon": lambda f, r, n: f"$argon2id$v=19$m=65536,t=3,p=4${_token(r, 16)}${_token(r, 32)}",
    "django": lambda f, r, n: f"pbkdf2_sha256$260000${_token(r, 9)}${_token(r, 32)}=",
    "md5": lambda f, r, n: _hex(r, 32),
    "sha256": lambda f, r, n: _hex(r, 64),
    "token": lambda f, r, n: _token(r, 24),
    "jwt": lambda f, r, n: f"eyJhbGciOiJIUzI1NiJ9.eyJ{_token(r, 12)}.{_token(r, 20)}",
    "latlon": lambda f, r, n: f"{f.latitude()}, {f.longitude()}",
    "lat": lambda f, r, n: str(f.latitude()),
    "lon": lambda f, r, n: str(f.longitude()),
    "sex": _of("M", "F"),
    "sexword": _of("male", "female", "non-binary"),
    "marital": _of("single", "married", "divorced", "widowed"),
    "blood": _of("A+", "O-", "B+", "AB-"),
    "icd": lambda f, r, n: f"{r.choice('ABCEFJ')}{r.randrange(10, 99)}.{r.randrange(9)}",
    "job": lambda f, r, n: f.job()[:40],
    "company": lambda f, r, n: f.company(),
    "status": _of("new", "open", "paid", "shipped", "cancelled"),
    "kind": _of("basic", "premium", "trial"),
    "colour": _of("red", "green", "blue", "black"),
    "sku": lambda f, r, n: f"SKU-{r.randrange(10**5):05}",
    "ean": lambda f, r, n: f.ean13(),
    "order": lambda f, r, n: f"ORD-2024-{n:06}",
    "version": lambda f, r, n: ".".join(str(r.randrange(most)) for most in (9, 20, 99, 9)),
    "currency": _of("EUR", "USD", "GBP"),
    "title": lambda f, r, n: f.sentence(4),
    "product": _of("Large Chair", "Small Lamp", "Light Desk", "Large Desk", "Small Chair"),
    "note": _note,
    "mailnote": _now_and_then(
        lambda f, r, n: f"{f.paragraph(2)} Write to {f.email()} or {GENERATORS['e164'](f, r, n)}.",
        _note, 0.2,
    ),
    "search": lambda f, r, n: " ".join(f.words(2)),
    "file": lambda f, r, n: f"{f.word()}_{n}.pdf",
    "mime": _of("image/png", "application/pdf"),
    "cron": _of("0 5 * * *", "*/10 * * * *"),
    "personjson": lambda f, r, n: json.dumps(
        {"name": f"{f.first_name()} {f.last_name()}", "email": f.email(), "n": n}
    ),
    "shipjson": lambda f, r, n: json.dumps(
        {"to": {"street": f.street_address(), "city": f.city(), "zip": f.postcode()}}
    ),
    "eventjson": lambda f, r, n: json.dumps(
        {"ip": f.ipv4_public(), "userAgent": f.user_agent(), "ts": n}
    ),
    "sizejson": lambda f, r, n: json.dumps(
        {"width": r.randrange(2000), "height": r.randrange(2000), "format": "png"}
    ),
    "emails": lambda f, r, n: "{" + ",".join(f.email() for _ in range(2)) + "}",
    "tags": lambda f, r, n: "{" + ",".join(r.choices(["sale", "new", "old"], k=2)) + "}",
}  # fmt: skip
