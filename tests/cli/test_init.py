"""`domicile init` as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from domicile.cli.main import main
from domicile.estate.load import load_estate
from tests.survey.test_propose import shop, url


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shop(tmp_path / "shop.db")


def test_one_edit_makes_an_estate_that_check_accepts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "sqlite:shop.db"]) == 0
    said = capsys.readouterr().out
    assert "customer: register app.customer, residence address_id.country_id.country" in said
    assert "Say in it where shop stands" in said
    file = tmp_path / "estate.yaml"
    text = file.read_text()
    line = next(n for n, each in enumerate(text.splitlines(), 1) if "country: ZZ" in each)
    assert main(["check"]) == 2
    assert f"estate.yaml:{line}: stores.shop.country" in capsys.readouterr().err
    file.write_text(text.replace("country: ZZ", "country: SG"))
    assert main(["check"]) == 0


def test_no_edit_when_the_stores_are_told(tmp_path: Path) -> None:
    shop(tmp_path / "us.db")
    done = main([
        "init", "sg=sqlite:shop.db", "us=sqlite:us.db", "--country", "sg=Singapore",
        "--country", "us=US", "--operator", "Shop: Ltd", "--operator", "us=Oracle",
        "--name", "shops",
    ])  # fmt: skip
    assert done == 0
    estate = load_estate("estate.yaml")
    assert estate.name == "shops"
    assert [(s.name, s.country, s.operator, s.holds) for s in estate.stores] == [
        ("sg", "SG", "Shop: Ltd", "app"), ("us", "US", "Oracle", "app"),
    ]  # fmt: skip


def test_a_file_that_is_there_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "estate.yaml"
    file.write_text("estate: mine\n")
    # Refused before anything is connected to: this store does not answer.
    assert main(["init", "postgresql://127.0.0.1:1/none"]) == 2
    assert "--force" in capsys.readouterr().err
    assert file.read_text() == "estate: mine\n"
    assert main(["init", "sqlite:shop.db", "--force"]) == 0
    assert "customer:" in file.read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["estate.yaml", "shop.db"]


def test_a_file_elsewhere_names_the_same_store(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    assert main(["init", "sqlite:shop.db", "--country", "SG", "-o", "sub/e.yaml"]) == 0
    assert load_estate("sub/e.yaml").stores[0].url == url(tmp_path / "shop.db").replace(
        "sqlite:", "sqlite://"
    )


def test_json_is_one_document_and_writes_only_where_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "sqlite:shop.db", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert not (tmp_path / "estate.yaml").exists()
    customer = document["subjects"][0]
    assert customer["residence"]["path"] == "address_id.country_id.country"
    assert "countries" in customer["residence"]["because"]
    assert {s["active"] for s in document["subjects"]} == {True, False}
    assert main(["init", "sqlite:shop.db", "--json", "-o", "e.yaml"]) == 0
    json.loads(capsys.readouterr().out)
    assert (tmp_path / "e.yaml").exists()


def test_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "sqlite:shop.db", "--country", "SG", "-o", "-"]) == 0
    printed = capsys.readouterr().out
    Path("printed.yaml").write_text(printed)
    assert load_estate("printed.yaml").subjects[0].name == "customer"
    assert main(["init", "sqlite:shop.db", "--json", "-o", "-"]) == 2


def test_a_store_that_does_not_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "x=postgresql://me:Ge4Heim@127.0.0.1:1/none"]) == 3
    error = capsys.readouterr().err
    assert "store x" in error
    assert "Ge4Heim" not in error
    assert not (tmp_path / "estate.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sqlite:shop.db", "--country", "shp=SG"], "no store is named shp"),
        (["sqlite:shop.db", "--country", "Atlantis"], "expected one country"),
        (["sqlite:shop.db", "--country", "SG", "--country", "NL"], "given twice"),
        (["sqlite:shop.db", "--operator", "shop="], "got nothing"),
        (["x=sqlite:shop.db", "x=sqlite:shop.db"], "two stores are named x"),
        (["mysql://127.0.0.1/shop"], "expected one of"),
        (["sqlite:shop.db", "-o", "nowhere/estate.yaml"], "there is no directory nowhere"),
        (["sqlite:shop.db", "-o", "."], "is a directory"),
    ],
)
def test_what_is_wrong_with_the_command(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["shop.db"]


def test_a_store_is_not_changed(tmp_path: Path) -> None:
    before = (tmp_path / "shop.db").read_bytes()
    assert main(["init", "sqlite:shop.db"]) == 0
    assert (tmp_path / "shop.db").read_bytes() == before


@pytest.mark.parametrize("mandate", ["us-trusted-custodian", "gdpr-transfers"])
def test_plan_accepts_what_was_proposed(tmp_path: Path, mandate: str) -> None:
    assert main(["init", "sqlite:shop.db"]) == 0
    file = tmp_path / "estate.yaml"
    file.write_text(file.read_text().replace("country: ZZ", "country: SG"))
    assert main(["plan", "--mandate", mandate, "-o", "shop.plan"]) == 0
    assert json.loads((tmp_path / "shop.plan").read_text())["estate"] == "shop"


def test_an_empty_store_is_a_home_and_said_to_be_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "us.db").touch()
    assert main(["init", "sg=sqlite:shop.db", "us=sqlite:us.db", "--json"]) == 0
    stores = {s["name"]: s for s in json.loads(capsys.readouterr().out)["stores"]}
    assert {s["holds"] for s in stores.values()} == {"app"}
    assert "no tables" in stores["us"]["because"]
    assert stores["us"]["guessed"]
    assert "us" not in stores["sg"]["because"]
