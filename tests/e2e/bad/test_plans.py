"""Plans that apply refuses: tampered, of another estate, stale, over the cap, not approved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import support
from tests.e2e.bad.world import World, check, sqlite_world

AGAIN = "new plan"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world with a plan in it."""
    made = sqlite_world(tmp_path)
    made.estate.plan()
    return made


def plan_file(world: World) -> Path:
    return world.estate.folder / "plan.json"


def test_a_plan_that_is_not_there(world: World) -> None:
    plan_file(world).unlink()
    world.refuses("apply", 2, "plan.json", "domicile plan -o", options=("--yes",))


@pytest.mark.parametrize(
    "data", [b"", b"\x00\xff\xfe", b"[1, 2]", b"{}", b"null", b'{"digest": 3}', b"just words"]
)
def test_not_a_plan(world: World, data: bytes) -> None:
    plan_file(world).write_bytes(data)
    world.refuses("apply", 4, "plan.json", "not a plan", options=("--yes",))


def test_a_truncated_plan(world: World) -> None:
    whole = plan_file(world).read_bytes()
    plan_file(world).write_bytes(whole[: len(whole) // 2])
    world.refuses("apply", 4, "plan.json", "not a plan", options=("--yes",))


def test_a_plan_of_another_version(world: World) -> None:
    document = json.loads(plan_file(world).read_text())
    plan_file(world).write_text(json.dumps({**document, "version": 99}))
    world.refuses("apply", 4, "version 99", "expected 1", options=("--yes",))


def test_a_tampered_plan(world: World) -> None:
    document = json.loads(plan_file(world).read_text())
    document["steps"][0]["rows"] += 1
    plan_file(world).write_text(json.dumps(document))
    world.refuses("apply", 4, "plan.json", "changed after", options=("--yes",))


def test_a_plan_with_a_name_twice(world: World) -> None:
    """Who reviews it may see the first value, and JSON takes the last."""
    text = plan_file(world).read_text()
    assert text.startswith("{")
    plan_file(world).write_text('{"steps": [], ' + text[1:])
    world.refuses("apply", 4, "a name twice", options=("--yes",))
    plan_file(world).write_text("[" * 100_000)
    world.refuses("apply", 4, "is not a plan", options=("--yes",))


def test_a_plan_that_says_its_own_digest(world: World) -> None:
    """Whoever can compute the digest can write a plan; what it asks is still held to the stores."""
    from domicile.plan.document import digest_of

    document = json.loads(plan_file(world).read_text())
    document["people"] = [{**p, "digest": "sha256:" + "0" * 64} for p in document["people"]]
    plan_file(world).write_text(json.dumps({**document, "digest": digest_of(document)}))
    world.refuses("apply", 4, options=("--yes",))


def test_a_plan_without_its_parts(world: World) -> None:
    from domicile.plan.document import digest_of

    document = {"version": 1}
    plan_file(world).write_text(json.dumps({**document, "digest": digest_of(document)}))
    world.refuses("apply", 4, "plan.json", options=("--yes",))


def test_a_plan_of_another_estate(world: World, tmp_path: Path) -> None:
    other = sqlite_world(tmp_path / "other")
    other.edit("estate: recorded", "estate: other")
    plan_file(other).write_bytes(plan_file(world).read_bytes())
    other.refuses("apply", 4, "recorded", "other", AGAIN, options=("--yes",))


def test_the_estate_was_edited(world: World) -> None:
    world.edit("operator: Video Store Ltd", "operator: Someone Else")
    world.refuses("apply", 4, "estate.yaml", "changed after", AGAIN, options=("--yes",))


def test_a_mandate_was_edited(world: World) -> None:
    world.edit("residence: [US]", "residence: [US, NL]", "mandates/us.yaml")
    world.refuses("apply", 4, "us-trusted-custodian", "changed", AGAIN, options=("--yes",))


def test_a_mandate_is_gone(world: World) -> None:
    """Nothing may be moved for a mandate that is no longer declared."""
    (world.estate.folder / "mandates" / "us.yaml").unlink()
    world.refuses(
        "apply", 4, "us-trusted-custodian", "no longer declared", AGAIN, options=("--yes",)
    )


STALE: list[tuple[str, Callable[[World], None]]] = [
    ("a column more abroad", lambda w: w.sql("abroad", "ALTER TABLE note ADD COLUMN more text")),
    ("a table more at home", lambda w: w.sql("home", "CREATE TABLE extra (id integer)")),
    ("a person moved country",
     lambda w: w.sql("abroad", "UPDATE person SET country = 'NL' WHERE id = 1")),
    ("a person went", lambda w: w.sql("abroad", "DELETE FROM note WHERE person_id = 1",
                                      "DELETE FROM person WHERE id = 1")),
    ("another person in their place",
     lambda w: w.sql("abroad", "UPDATE person SET country = 'NL' WHERE id = 1",
                     "UPDATE person SET country = 'US' WHERE id = 2")),
]  # fmt: skip


@pytest.mark.parametrize("change", [c for _, c in STALE], ids=[n for n, _ in STALE])
def test_a_stale_plan(world: World, change: Callable[[World], None]) -> None:
    change(world)
    said = world.refuses("apply", 4, "store ", AGAIN, options=("--yes",)).err
    assert "2 then, 2 now" not in said


def test_a_plan_applied_twice(world: World) -> None:
    assert world.run("apply", "--yes").code == 0
    world.refuses("apply", 4, "carried out already", options=("--yes",))


@pytest.mark.parametrize(("cap", "allows"), [("3", "3"), ("0", "0"), ("40%", "2"), ("0%", "0")])
def test_over_the_cap(world: World, cap: str, allows: str) -> None:
    world.refuses("apply", 4, "4 rows", f"allows {allows}", options=("--yes", "--max-rows", cap))


@pytest.mark.parametrize("cap", ["many", "-1", "101%", "%", "1.5", "nan", "nan%", "inf", ""])
def test_a_cap_that_is_none(world: World, cap: str) -> None:
    world.refuses("apply", 2, "--max-rows", repr(cap), options=("--yes", f"--max-rows={cap}"))


def test_not_approved(world: World) -> None:
    """Nobody at a terminal, and no --yes."""
    world.refuses("apply", 4, "not approved", "--yes")


def test_no_plan_named(world: World) -> None:
    ran = support.run("apply", "--estate", str(world.estate.file), "--json")
    assert ran.code == 2
    assert "PLAN" in ran.err
    assert ran.out == ""


def test_an_unknown_option_and_command(world: World) -> None:
    for arguments in (("plan", "--nope"), ("nope",)):
        ran = support.run(*arguments)
        assert ran.code == 2
        assert "nope" in ran.err
        assert ran.out == ""


def test_a_plan_that_cannot_be_written(world: World) -> None:
    before = world.contents()
    ran = support.run(
        "plan", "--estate", str(world.estate.file), "--json", "-o",
        str(world.estate.folder / "no" / "such" / "plan.json"),
    )  # fmt: skip
    check(ran, 2, "cannot write", "plan.json")
    assert world.contents() == before


def test_a_mandate_tried_out_that_is_not_there(world: World) -> None:
    world.refuses("plan", 2, "none.yaml", options=("--mandate", "none.yaml"))
