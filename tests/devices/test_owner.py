"""The owner's page: their own devices and nobody else's, and what they say counts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from domicile.devices.model import ClauseKey
from domicile.devices.record import DeviceRecord
from domicile.devices.visits import DAYS, invite
from domicile.evidence import place
from tests.devices.made import ESTATE, MANDATE, TIKTOK
from tests.devices.test_point import AFTER, World, has
from tests.devices.test_sync import Source, entries, phone, run
from tests.web.browser import measure

KEY = ClauseKey("ban", "remove")
ANA = "user1@example.org"
EVIL = "<script>alert(1)</script>"


class Visit:
    """Ana's link into a world where she has three devices and Bea one."""

    def __init__(self, directory: Path, mandate: str = MANDATE) -> None:
        (directory / "people.csv").write_text(f"user,language\n{ANA},nl\n")
        estate = ESTATE + "devices: {people: people.csv, contact: helpdesk}\n"
        self.world = World(
            directory, has(1), phone(2, owners=(ANA,), scope="managed", name=EVIL),
            phone(3, owners=(ANA,)), phone(9, name="Bea's"), mandate=mandate, estate=estate,
        )  # fmt: skip
        self.link = self.invite(ANA)

    def invite(self, owner: str) -> str:
        record = DeviceRecord(place.state_directory(self.world.file))
        try:
            return f"/owner/{invite(record, [owner], self.world.now)[owner]}"
        finally:
            record.close()

    def page(self, query: str = "") -> str:
        status, _, body = self.world.ask(self.link + query)
        assert status == 200
        return body.decode()

    def say(self, word: str, device: str, **more: str) -> int:
        form = {"fleet": "phones", "id": device, "word": word, **more}
        return self.world.ask(self.link, urlencode(form).encode())[0]


@pytest.fixture
def visit(tmp_path: Path) -> Visit:
    return Visit(tmp_path)


def test_owners_see_their_own_devices_in_their_language(visit: Visit) -> None:
    page = visit.page()
    for said in ("Uw apparaten", "phone 1", f"TikTok ({TIKTOK}) staat erop. Verwijder de app",
                 "Heeft geen toegang.", "phone 3", "Heeft toegang.",
                 "Vragen en bezwaar: helpdesk"):  # fmt: skip
        assert said in page
    assert "Bea" not in page
    assert "user9" not in page
    assert "Your devices" in visit.page("?lang=en")


def test_a_link_is_one_persons_and_ends(visit: Visit) -> None:
    bea = visit.world.ask(visit.invite("user9@example.org"))[2].decode()
    assert "Bea&#39;s" in bea
    assert "phone 1" not in bea
    for link in ("/owner/", "/owner/" + "x" * 43):
        status, _, body = visit.world.ask(link)
        assert (status, b"phone" in body) == (404, False)
    visit.world.now = AFTER + timedelta(days=DAYS)
    assert visit.world.ask(visit.link)[0] == 404
    assert visit.say("look", "d1") == 404


def test_an_owners_word_counts_where_the_mandate_takes_it(visit: Visit) -> None:
    under = {"mandate": "ban", "clause": "remove"}
    assert visit.world.dovecot("d2", "user1")["status"] == -1
    assert visit.say("absent", "d2", **under) == 303
    visit.world.look()
    assert visit.world.dovecot("d2", "user1")["status"] == 0
    (entry,) = entries(visit.world.file, "device_word")
    assert (entry["word"], entry["until"]) == ("absent", "2023-04-15T00:00:00Z")
    assert "U hebt gezegd dat de app er niet op staat." in visit.page()
    # It ends, and what is seen outweighs it.
    visit.world.now = AFTER + timedelta(days=30)
    assert visit.world.dovecot("d2", "user1")["status"] == -1
    visit.world.now = AFTER
    run(visit.world.file, Source([has(2, owners=(ANA,), scope="managed")]), AFTER)
    visit.world.look()
    assert visit.world.dovecot("d2", "user1")["status"] == -1


@pytest.mark.parametrize(
    ("word", "device", "clause"),
    [
        ("absent", "d1", "remove"),  # it was seen
        ("absent", "d3", "remove"),  # nothing to say
        ("absent", "d2", "other"),
        ("look", "d9", ""),  # Bea's
        ("give_up", "d9", ""),
        ("absent", "d9", "remove"),
        ("unlock", "d1", ""),
        ("", "d1", ""),
    ],
)
def test_what_may_not_be_said_changes_nothing(
    visit: Visit, word: str, device: str, clause: str
) -> None:
    assert visit.say(word, device, mandate="ban", clause=clause) == 403
    assert entries(visit.world.file, "device_word") == []


def test_a_mandate_that_takes_no_word_offers_none(tmp_path: Path) -> None:
    mandate = MANDATE.replace("      by:", "      not_observable: refuse\n      by:")
    visit = Visit(tmp_path, mandate)
    assert 'value="absent"' not in visit.page()
    assert visit.say("absent", "d2", mandate="ban", clause="remove") == 403


def test_work_is_given_up_and_taken_up_again(visit: Visit) -> None:
    assert visit.say("give_up", "d3") == 303
    visit.world.look()
    assert "werkt niet meer op phone 3" in visit.world.dovecot("d3", "user1")["msg"]
    assert 'value="take_up"' in visit.page()
    assert visit.say("take_up", "d3") == 303
    visit.world.look()
    assert visit.world.dovecot("d3", "user1")["status"] == 0


def test_another_look_is_asked_for_until_it_was_had(visit: Visit) -> None:
    assert visit.say("look", "d1") == 303
    assert "Er is om een nieuwe controle gevraagd." in visit.page()
    later = AFTER + timedelta(hours=1)
    run(visit.world.file, Source([has(1, seen=later)]), later)
    assert "nieuwe controle gevraagd" not in visit.page()


@pytest.mark.parametrize("language", ["en", "nl"])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_and_can_be_read(visit: Visit, language: str, dark: bool) -> None:
    found = measure(visit.page(f"?lang={language}"), 360, dark=dark)
    assert (found["overflow"], found["language"]) == (0, language)
    assert found["weakest"]["ratio"] >= 4.5, found["weakest"]
    assert (found["loads"], found["handlers"], found["console"]) == ([], [], [])
    assert EVIL in found["text"]


def test_the_page_allows_itself_nothing_else(visit: Visit) -> None:
    _, headers, body = visit.world.ask(visit.link)
    assert headers[b"content-security-policy"].startswith(b"default-src 'none'")
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert headers[b"cache-control"] == b"no-store"
    assert EVIL.encode() not in body
    assert visit.world.ask(visit.link, b"x" * 70_000)[0] == 413
