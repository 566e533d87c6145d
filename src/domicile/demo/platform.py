"""What the made-up people did: videos, comments, likes, follows, messages, watching.

Half of it is between people of one country and half crosses borders, so that most rows are about
two people whose data rest under different laws.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from domicile.demo.people import (
    People,
    Pool,
    Row,
    ip_address,
    make_people,
    make_pools,
    moment,
)
from domicile.demo.world import COUNTRIES

AT_HOME = 0.5  # of what people do: with somebody of their own country
MENTIONS = 0.02  # of the comments name somebody by handle
TAGS = ("dance", "food", "pets", "diy", "travel", "music", "maths", "football", "makeup", "news")

COLUMNS: dict[str, tuple[str, ...]] = {
    "country": ("country_id", "code", "name"),
    "address": ("address_id", "street", "postcode", "city", "country_id"),
    "account": ("account_id", "handle", "email", "full_name", "phone", "born", "address_id",
                "password_hash", "settings", "joined"),
    "family": ("parent_id", "child_id"),
    "device": ("device_id", "account_id", "model", "advertising_id", "last_ip", "last_seen"),
    "video": ("video_id", "account_id", "title", "tags", "seconds", "shown_to", "place",
              "comments", "published"),
    "comment": ("comment_id", "video_id", "account_id", "reply_to", "body", "written"),
    "video_like": ("account_id", "video_id", "liked"),
    "follow": ("follower_id", "followed_id", "since"),
    "message": ("message_id", "sender_id", "recipient_id", "body", "sent"),
    "watch": ("watch_id", "account_id", "video_id", "seconds", "ip", "watched"),
    "pending_registration": ("email", "token", "asked"),
}  # fmt: skip
"""Tables in an order in which their keys hold, with the columns that rows are made for."""


@dataclass
class Platform:
    """All rows by table, in the order of COLUMNS."""

    rows: dict[str, list[Row]] = field(default_factory=dict)


def make_platform(people: int = 20_000, seed: int = 2026) -> Platform:
    """The whole platform for that many people; the same rows for the same arguments."""
    pools = make_pools(seed)
    who = make_people(people, seed, pools)
    rng = Random(seed + 1)
    makers = _Makers(rng, who, pools)
    videos = makers.videos(people * 3 // 5)
    comments = makers.comments(people * 3)
    per_video = [0] * (len(videos) + 1)
    for comment in comments:
        per_video[comment[1]] += 1
    return Platform(
        {
            "country": [(n, c.code, c.name) for n, c in enumerate(COUNTRIES, start=1)],
            "address": who.addresses,
            "account": who.accounts,
            "family": who.families,
            "device": who.devices,
            "video": [(*v[:7], per_video[v[0]], v[8]) for v in videos],
            "comment": comments,
            "video_like": makers.likes(people * 4),
            "follow": makers.follows(people * 3),
            "message": makers.messages(people),
            "watch": makers.watches(people * 5),
            "pending_registration": makers.pending(people // 100),
        }
    )


class _Makers:
    """Draws who does what to whom, with one generator of random numbers."""

    def __init__(self, rng: Random, people: People, pools: Sequence[Pool]) -> None:
        self.rng = rng
        self.people = people
        self.pools = pools
        self.total = len(people.accounts)
        self.accounts_of: list[list[int]] = [[] for _ in pools]
        for number, country in enumerate(people.country_of, start=1):
            self.accounts_of[country].append(number)
        self.videos_of: list[list[int]] = [[] for _ in pools]
        self.video_count = 0

    def anyone(self) -> int:
        return int(self.rng.random() * self.total) + 1

    def somebody_near(self, account: int) -> int:
        """Another account, half of the time of the same country."""
        near = self.accounts_of[self.people.country_of[account - 1]]
        if self.rng.random() < AT_HOME and len(near) > 1:
            return near[int(self.rng.random() * len(near))]
        return self.anyone()

    def some_video(self, account: int) -> int:
        """A video, half of the time of the same country; the early ones are the popular ones."""
        near = self.videos_of[self.people.country_of[account - 1]]
        skewed = self.rng.random() ** 2
        if self.rng.random() < AT_HOME and near:
            return near[int(skewed * len(near))]
        return int(skewed * self.video_count) + 1

    def sentence(self, account: int) -> str:
        sentences = self.pools[self.people.country_of[account - 1]].sentences
        return sentences[int(self.rng.random() * len(sentences))]

    def videos(self, count: int) -> list[Row]:
        rng, rows = self.rng, []
        for number in range(1, count + 1):
            account = self.anyone()
            place = (rng.uniform(-180, 180), rng.uniform(-60, 70)) if rng.random() < 0.3 else None
            rows.append(
                (
                    number,
                    account,
                    self.sentence(account),
                    rng.sample(TAGS, int(rng.random() * 4)),
                    int(rng.random() * 590) + 5,
                    rng.choices(("public", "friends", "private"), cum_weights=(90, 97, 100))[0],
                    place,
                    0,
                    moment(rng),
                )
            )
            self.videos_of[self.people.country_of[account - 1]].append(number)
        self.video_count = count
        return rows

    def comments(self, count: int) -> list[Row]:
        rng, rows = self.rng, []
        latest: dict[int, int] = {}
        for number in range(1, count + 1):
            account = self.anyone()
            video = self.some_video(account)
            body = self.sentence(account)
            if rng.random() < MENTIONS:
                body = f"@{self.people.handles[self.anyone() - 1]} {body}"
            reply_to = latest.get(video) if rng.random() < 0.3 else None
            rows.append((number, video, account, reply_to, body, moment(rng)))
            latest[video] = number
        return rows

    def likes(self, count: int) -> list[Row]:
        pairs = {(a, self.some_video(a)): None for a in (self.anyone() for _ in range(count))}
        return [(*pair, moment(self.rng)) for pair in pairs]

    def follows(self, count: int) -> list[Row]:
        pairs = {(a, self.somebody_near(a)): None for a in (self.anyone() for _ in range(count))}
        return [(*pair, moment(self.rng)) for pair in pairs if pair[0] != pair[1]]

    def messages(self, count: int) -> list[Row]:
        rows = []
        for number in range(1, count + 1):
            sender = self.anyone()
            recipient = self.somebody_near(sender)
            rows.append((number, sender, recipient, self.sentence(sender), moment(self.rng)))
        return rows

    def watches(self, count: int) -> list[Row]:
        from decimal import Decimal

        rng, rows = self.rng, []
        lengths = [Decimal(tenths) / 10 for tenths in range(6_000)]
        for number in range(1, count + 1):
            account = self.anyone()
            seconds = lengths[int(rng.random() * 6_000)]
            video = self.some_video(account)
            rows.append((number, account, video, seconds, ip_address(rng), moment(rng)))
        return rows

    def pending(self, count: int) -> list[Row]:
        return [
            (
                f"newcomer{number}@example.org",
                uuid.UUID(int=self.rng.getrandbits(128), version=4),
                moment(self.rng),
            )
            for number in range(1, count + 1)
        ]
