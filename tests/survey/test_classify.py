"""Verdicts on columns: what is found, what is refused, and what stays unknown."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from fideslang.default_taxonomy import DEFAULT_TAXONOMY
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.stores.schema import Column, ForeignKey, Key, Kind, Table
from domicile.survey.classify import Verdict, classify
from domicile.survey.classify_vocabulary import PHRASES

DIGITS = random.Random(1)


def one(
    name: str,
    sample: Sequence[str | None] | None,
    *,
    table: str = "thing",
    kind: Kind = "text",
    others: Sequence[tuple[str, Kind]] = (),
    foreign_keys: tuple[ForeignKey, ...] = (),
) -> Verdict:
    columns = (Column(name, kind, kind), *(Column(n, k, k) for n, k in others))
    samples = {} if sample is None else {name: sample}
    return classify(Table(table, columns, foreign_keys=foreign_keys), samples)[name]


def bsn() -> str:
    while True:
        digits = [DIGITS.randrange(10) for _ in range(8)]
        check = sum(w * d for w, d in zip(range(9, 1, -1), digits, strict=True)) % 11
        if check < 10 and any(digits):
            return "".join(map(str, [*digits, check]))


EMAILS = [f"person{i}@example.org" for i in range(40)]
HASHES = ["$2b$12$" + "abcdefghijklmnopqrstu" + f"{i:031d}" for i in range(20)]


@pytest.mark.parametrize(
    ("name", "sample", "category"),
    [
        ("e_mail", EMAILS, "user.contact.email"),
        ("x17", EMAILS, "user.contact.email"),
        ("voornaam", ["Anna", "Piet"], "user.name.first"),
        ("Nachname", ["Müller", "Weiß"], "user.name.last"),
        ("numéroTéléphone", ["01 23 45 67 89"], "user.contact.phone_number"),
        ("x18", ["+31 6 12345678", "+1 212 555 0142"], "user.contact.phone_number"),
        ("fechaNacimiento", ["1980-01-31"], "user.demographic.date_of_birth"),
        ("Geburtsdatum", ["31.01.1980"], "user.demographic.date_of_birth"),
        ("x19", ["192.0.2.1", "198.51.100.7"], "user.device.ip_address"),
        ("x20", ["GB82WEST12345698765432"], "user.financial.bank_account"),
        ("x21", HASHES, "user.authorization.password"),
        ("x22", ["4111 1111 1111 1111", "5500005555555559"], "user.financial.credit_card"),
        ("straatnaam", ["Kerkstraat", "Dorpsweg"], "user.contact.address.street"),
        ("zip_code", ["90210", "10001"], "user.contact.address.postal_code"),
        ("x23", ["52.3702, 4.8952", "48.8566, 2.3522"], "user.location.precise"),
        ("x24", ["078-05-1120", "219-09-9999"],
         "user.government_id.national_identification_number"),
    ],
)  # fmt: skip
def test_people_are_found(name: str, sample: list[str], category: str) -> None:
    assert one(name, sample).category == category


def test_a_national_number_needs_its_checksum_and_enough_values() -> None:
    real = [bsn() for _ in range(60)]
    assert one("x", real).category == "user.government_id.national_identification_number"
    wrong = [number[:-1] + str((int(number[-1]) + 1) % 10) for number in real]
    assert one("x", wrong).category != "user.government_id.national_identification_number"
    assert one("order_no", [str(100_000_000 + i) for i in range(60)]).category == (
        "system.operations"
    )


@pytest.mark.parametrize(
    ("name", "kind", "sample"),
    [
        ("id", "int", ["1", "2"]),
        ("created_at", "timestamptz", ["2024-01-01 00:00:00+00"]),
        ("email_verified", "bool", ["true"]),
        ("release_year", "int", ["1999", "2004"]),
        ("view_count", "int", ["4", "5551234"]),
        ("currentTime", "int", ["12", "600"]),
        ("version", "text", ["1.2.3.4", "10.0.0.1"]),
        ("checksum", "text", ["d41d8cd98f00b204e9800998ecf8427e"]),
        ("title", "text", ["The Hunger", "Alien Center"]),
        ("price", "numeric", ["9.99"]),
        ("isbn", "text", ["9780306406157"]),
        ("uuid", "uuid", ["00000000-0000-4000-8000-000000000000"]),
    ],
)
def test_what_only_looks_personal_is_not(name: str, kind: Kind, sample: list[str]) -> None:
    assert one(name, sample, kind=kind, table="product").category == "system.operations"


def test_keys_are_structure_but_a_key_of_emails_is_not() -> None:
    table = Table(
        "customer",
        (Column("customer_id", "integer", "int"), Column("login", "text", "text"),
         Column("ref", "integer", "int")),
        keys=(Key(("customer_id",), primary=True), Key(("login",))),
        foreign_keys=(ForeignKey(("ref",), "customer", ("customer_id",)),),
    )  # fmt: skip
    found = classify(table, {"customer_id": ["1"], "login": EMAILS, "ref": ["1"]})
    assert [v.category for v in found.values()] == [
        "system.operations", "user.contact.email", "system.operations",
    ]  # fmt: skip


def test_a_lone_email_in_a_code_column_is_not_clean() -> None:
    found = one("code", ["A1"] * 500 + ["someone@example.org"])
    assert found.category == "user.contact.email"


def test_free_text_names_what_is_inside_it() -> None:
    text = ["A long story about nothing at all that ends with a name, " * 2] * 30
    text.append("call me on +31 6 1234 5678 or write to me@example.org " * 2)
    found = one("story", text, others=[("user_id", "int")])
    assert found.category.startswith("user")
    assert set(found.also) == {"user.contact.email", "user.contact.phone_number"}


def test_json_is_read_by_its_keys_and_values() -> None:
    found = one("payload", ['{"user": {"firstName": "Ann", "n": 1}, "to": "a@example.org"}'] * 3,
                kind="json")  # fmt: skip
    assert found.category == "user"
    assert set(found.also) == {"user.name.first", "user.contact.email"}
    assert one("payload", ['{"width": 1, "status": "done"}'], kind="json").category == (
        "system.operations"
    )


def test_unsampled_is_unknown_unless_name_and_type_decide() -> None:
    assert one("stuff", None).category == ""
    assert one("stuff", None).reason == "not sampled: no sample was taken"
    assert one("stuff", [None, None]).reason == "not sampled: nothing in the 2 rows sampled"
    assert one("stuff", [" ", ""]).reason == "not sampled: nothing in the 2 rows sampled"
    assert one("stuff", []).reason == "not sampled: the table is empty"
    assert one("email", None).category == "user.contact.email"
    assert one("created_at", [], kind="timestamptz").category == "system.operations"


def test_a_name_that_its_values_deny_is_unknown() -> None:
    assert one("email", ["the quick brown fox jumps", "over the lazy dog again"]).category == ""
    assert one("cvv", ["19991", "20041"], kind="int").category == ""


def test_words_that_say_nothing_stay_unknown_beside_people() -> None:
    assert one("blurb", ["lorem ipsum dolor", "sit amet"], table="customer").category == ""


def test_places_in_a_table_of_places_are_reference_data() -> None:
    assert one("country", ["Peru", "Chad", "Mali"], table="country").category == (
        "system.operations"
    )
    assert one("country", ["Peru", "Chad", "Mali"], table="address").category == (
        "user.contact.address.country"
    )


def test_a_state_is_a_place_beside_a_city_and_a_step_elsewhere() -> None:
    places = ["TX", "CA", "NY"]
    found = one("State", places, table="customer", others=[("City", "text")])
    assert found.category == "user.contact.address.state"
    assert one("state", ["open", "done"], table="job").category == "system.operations"


def test_values_tell_what_a_table_without_telling_names_is_about() -> None:
    countries = [("x2", ["Peru", "Chad", "Mali"])]
    table = Table("t9", (Column("x1", "text", "text"), Column("x2", "text", "text")))
    assert classify(table, dict(countries))["x2"].category == "system.operations"
    found = classify(table, {"x1": EMAILS, **dict(countries)})
    assert found["x2"].category == "user.contact.address.country"


def test_every_phrase_names_a_category_of_fideslang() -> None:
    keys = {category.fides_key for category in DEFAULT_TAXONOMY.data_category or []}
    assert set(PHRASES.values()) <= keys


KINDS: tuple[Kind, ...] = ("int", "text", "bool", "json", "date", "enum", "array", "bytes", "other")


@given(
    name=st.text(max_size=30),
    kind=st.sampled_from(KINDS),
    sample=st.lists(st.none() | st.text(max_size=40), max_size=20),
)
@settings(max_examples=150, deadline=None)
def test_any_name_and_any_values_get_one_verdict(
    name: str, kind: Kind, sample: list[str | None]
) -> None:
    found = one(name, sample, kind=kind)
    assert 0 <= found.confidence <= 1
    assert found.reason
    assert (found.category == "") == (found.by == "")


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=200))
@settings(max_examples=60, deadline=None)
def test_no_email_hides_among_other_values(noise: list[str]) -> None:
    found = one("x", [*noise, "hidden.person@example.org"])
    assert found.category == "" or "user" in found.category
    assert not (found.category == "" and found.reason.startswith("not sampled"))
    assert found.category != "system.operations"


def test_no_value_leaves_in_a_verdict() -> None:
    samples = ["zanzibar.q@example.org", "+31 6 87654321", "Zebedee Quartermain"]
    for name in ("x", "email", "phone", "name", "notes"):
        shown = repr(one(name, samples, table="customer"))
        assert not any(value in shown for value in samples)
