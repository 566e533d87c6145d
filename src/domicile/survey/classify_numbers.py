"""Numbers with a checksum or a plan: national numbers, bank accounts, cards, phones.

A checksum alone proves little (one order number in eleven is a well-formed BSN), so callers ask
for the share of many distinct values that pass, after a cheap look at their shape. Heavy libraries
load on first use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import import_module

from domicile.survey.classify_vocabulary import OPERATIONS

NATIONAL = "user.government_id.national_identification_number"
PHONE = "user.contact.phone_number"
IBAN = "user.financial.bank_account"
CARD = "user.financial.credit_card"
DEVICE = "user.device.device_id"

_SQUEEZE = re.compile(r"[ .\-/]")

_FISCALE = r"[A-Z]{6}\d\d[A-Z]\d\d[A-Z]\d{3}[A-Z]"

# (python-stdnum module, what it is, shape of the squeezed value, distinct values that must pass:
# about as many as make chance less than one in a million, from the checksum's strength)
_NATIONAL: tuple[tuple[str, str, str, int], ...] = (
    ("stdnum.nl.bsn", "a Dutch BSN", r"\d{9}", 6),
    ("stdnum.de.idnr", "a German IdNr", r"[1-9]\d{10}", 6),
    ("stdnum.fr.nir", "a French NIR", r"[12]\d{4}[0-9AB]{2}\d{6,8}", 4),
    ("stdnum.es.dni", "a Spanish DNI", r"\d{8}[A-Z]", 5),
    ("stdnum.es.nie", "a Spanish NIE", r"[XYZ]\d{7}[A-Z]", 5),
    ("stdnum.be.nn", "a Belgian national number", r"\d{11}", 4),
    ("stdnum.it.codicefiscale", "an Italian codice fiscale", _FISCALE, 3),
    ("stdnum.pl.pesel", "a Polish PESEL", r"\d{11}", 6),
    ("stdnum.br.cpf", "a Brazilian CPF", r"\d{11}", 4),
    ("stdnum.se.personnummer", "a Swedish personnummer", r"\d{6}[+]?\d{4}|\d{12}", 6),
    ("stdnum.fi.hetu", "a Finnish HETU", r"\d{6}[+A-Y]?\d{3}[0-9A-Y]", 4),
    ("stdnum.in_.aadhaar", "an Indian Aadhaar", r"[2-9]\d{11}", 6),
    ("stdnum.pt.nif", "a Portuguese NIF", r"[1-9]\d{8}", 6),
)  # fmt: skip


@lru_cache(maxsize=64)
def _checker(module: str) -> Callable[[str], bool]:
    is_valid: Callable[[str], bool] = import_module(module).is_valid
    return is_valid


@lru_cache(maxsize=64)
def _shape(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def national(values: Sequence[str]) -> tuple[float, str]:
    """The kind of national number that most distinct values are: (share, what it is).

    (0.0, "") when none is shared by enough values for chance to be ruled out.
    """
    squeezed = list(dict.fromkeys(_SQUEEZE.sub("", value.strip().upper()) for value in values))
    best = (0.0, "")
    for module, what, pattern, least in _NATIONAL:
        shape = _shape(pattern)
        shaped = [value for value in squeezed if shape.fullmatch(value)]
        if len(shaped) < max(least, 0.8 * len(squeezed)):
            continue
        check = _checker(module)
        if sum(check(value) for value in shaped[:least]) < 0.8 * least:
            continue
        share = sum(check(value) for value in shaped) / len(squeezed)
        if share > max(best[0], 0.8):
            best = (share, what)
    return best


_US_SSN = re.compile(r"(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}")
_UK_NINO = re.compile(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]")


def national_by_form(values: Sequence[str]) -> tuple[float, str]:
    """National numbers without a checksum whose written form is telling (SSA, HMRC)."""
    for shape, what in ((_US_SSN, "a US SSN"), (_UK_NINO, "a UK NINO")):
        share = sum(bool(shape.fullmatch(value.strip())) for value in values) / max(1, len(values))
        if share >= 0.8:
            return share, what
    return 0.0, ""


def luhn(value: str) -> bool:
    """Whether the digits of a value pass the check of ISO/IEC 7812-1, annex B."""
    digits = [int(c) for c in value if c.isdigit()]
    doubled = (sum(divmod(2 * d, 10)) for d in digits[-2::-2])
    return len(digits) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


_CARD = re.compile(r"(?:4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[068]\d{12}|"
                   r"6(?:011|5\d\d|4[4-9]\d)\d{12}|35\d{14})")  # fmt: skip


def card(value: str) -> bool:
    """Whether a value is a well-formed payment card number of a known issuer range."""
    squeezed = _SQUEEZE.sub("", value)
    return bool(_CARD.fullmatch(squeezed)) and luhn(squeezed)


def imei(value: str) -> bool:
    """Whether a value is a well-formed IMEI (3GPP TS 23.003: 15 digits with a check)."""
    squeezed = _SQUEEZE.sub("", value)
    return len(squeezed) == 15 and squeezed.isdigit() and luhn(squeezed)


def iban(value: str) -> bool:
    """Whether a value is a valid IBAN (ISO 13616: length of its country, mod 97)."""
    return _checker("stdnum.iban")(value)


_REGIONS = ("US", "NL", "DE", "FR", "ES", "GB")
_EXTENSION = re.compile(r"\s*(?:x|ext\.?)\s*\d{1,6}$", re.IGNORECASE)


def phone(value: str, *, regions: Sequence[str] = _REGIONS) -> bool:
    """Whether a value is a possible phone number, as written or in one of the regions.

    `possible` rather than `valid`: numbers in test and old data often lie outside today's plans,
    and the shape of the column is what counts.
    """
    import phonenumbers

    plain = _EXTENSION.sub("", value)
    for region in (None,) if plain.lstrip("( ").startswith("+") else regions:
        try:
            parsed = phonenumbers.parse(plain, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(parsed):
            return True
    return False


__all__ = ["CARD", "DEVICE", "IBAN", "NATIONAL", "OPERATIONS", "PHONE", "card", "iban", "imei",
           "luhn", "national", "national_by_form", "phone"]  # fmt: skip
