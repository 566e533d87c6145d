"""Whose row is it, on PeerTube: said by hand for this one schema, slowly, with `ctid` for a name.

`ABOUT` says by which columns each table leads to whom; what follows is design.md, section 4: a row
whose people all go home goes, one of whose people none goes stays, and of the mixed ones those go
that a declared author takes with them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.e2e import support
from tests.e2e.support import Contents
from tests.servers import TestServer

PEOPLE = {
    "user": 'SELECT id, id AS u FROM "user"',
    "account": 'SELECT id, "userId" AS u FROM account WHERE "userId" IS NOT NULL',
    "actor": 'SELECT "actorId" AS id, u FROM account JOIN p_account USING (id) UNION'
    ' SELECT c."actorId", u FROM "videoChannel" c JOIN p_account p ON p.id = c."accountId"',
    "channel": 'SELECT c.id, u FROM "videoChannel" c JOIN p_account p ON p.id = c."accountId"',
    "video": 'SELECT v.id, u FROM video v JOIN p_channel p ON p.id = v."channelId"',
    "comment": """
        WITH RECURSIVE up (id, above) AS (
            SELECT id, id FROM "videoComment"
            UNION SELECT up.id, x FROM up JOIN "videoComment" c ON c.id = up.above,
            LATERAL (VALUES (c."inReplyToCommentId"), (c."originCommentId")) v (x)
            WHERE x IS NOT NULL)
        SELECT up.id, p.u FROM up JOIN "videoComment" c ON c.id = up.above
            JOIN p_account p ON p.id = c."accountId"
        UNION SELECT up.id, p.u FROM up JOIN "videoComment" c ON c.id = up.above
            JOIN p_video p ON p.id = c."videoId" """,
    "abuse": 'SELECT a.id, u FROM abuse a JOIN p_account p'
    ' ON p.id IN (a."reporterAccountId", a."flaggedAccountId")',
    "playlist": 'SELECT l.id, u FROM "videoPlaylist" l'
    ' JOIN p_account p ON p.id = l."ownerAccountId"'
    ' UNION SELECT l.id, u FROM "videoPlaylist" l JOIN p_channel p ON p.id = l."videoChannelId"',
    "follow": 'SELECT f.id, u FROM "actorFollow" f JOIN p_actor p'
    ' ON p.id IN (f."actorId", f."targetActorId")',
    "viewer": 'SELECT v.id, u FROM "localVideoViewer" v JOIN p_video p ON p.id = v."videoId"',
    "blacklist": 'SELECT b.id, u FROM "videoBlacklist" b JOIN p_video p ON p.id = b."videoId"',
    "caption": 'SELECT c.id, u FROM "videoCaption" c JOIN p_video p ON p.id = c."videoId"',
    "registration": 'SELECT id, "userId" AS u FROM "userRegistration" WHERE "userId" IS NOT NULL',
    "sync": 'SELECT s.id, u FROM "videoChannelSync" s'
    ' JOIN p_channel p ON p.id = s."videoChannelId"',
    "import": 'SELECT id, "userId" AS u FROM "videoImport" WHERE "userId" IS NOT NULL'
    ' UNION SELECT i.id, u FROM "videoImport" i JOIN p_video p ON p.id = i."videoId"',
    "streaming": 'SELECT s.id, u FROM "videoStreamingPlaylist" s'
    ' JOIN p_video p ON p.id = s."videoId"',
    "reporter": 'SELECT a.id, u FROM abuse a JOIN p_account p ON p.id = a."reporterAccountId"',
    "writer": 'SELECT c.id, u FROM "videoComment" c JOIN p_account p ON p.id = c."accountId"',
    "owner": 'SELECT l.id, u FROM "videoPlaylist" l JOIN p_account p ON p.id = l."ownerAccountId"',
}  # fmt: skip
"""Relations (id, user) that columns lead to, each made of those above it."""

BY_USER = "residence oAuthToken userNotificationSetting userRegistration userExport userImport"
BY_ACCOUNT = "accountAutomaticTagPolicy serverBlocklist watchedWordsList"
BY_ACTOR = "actorImage actorCustomPage"
BY_VIDEO = (
    "videoTag videoBlacklist videoCaption videoChapter videoView videoSource localVideoViewer"
    " videoStreamingPlaylist videoLive storyboard videoJobInfo videoPassword scheduleVideoUpdate"
    " videoTracker"
)

ABOUT: dict[str, dict[str, str]] = {
    "user": {"id": "user"},
    "account": {"id": "account"},
    "actor": {"id": "actor"},
    "videoChannel": {"id": "channel"},
    "video": {"id": "video"},
    "videoComment": {"id": "comment"},
    "abuse": {"id": "abuse"},
    "videoPlaylist": {"id": "playlist"},
    "actorFollow": {"id": "follow"},
    "videoImport": {"id": "import"},
    **{t: {"userId": "user"} for t in BY_USER.split()},
    **{t: {"accountId": "account"} for t in BY_ACCOUNT.split()},
    **{t: {"actorId": "actor"} for t in BY_ACTOR.split()},
    **{t: {"videoId": "video"} for t in BY_VIDEO.split()},
    "videoFile": {"videoId": "video", "videoStreamingPlaylistId": "streaming"},
    "thumbnail": {"videoId": "video", "videoPlaylistId": "playlist"},
    "videoChannelSync": {"videoChannelId": "channel"},
    "localVideoViewerWatchSection": {"localVideoViewerId": "viewer"},
    "videoLiveSession": {"liveVideoId": "video", "replayVideoId": "video"},
    "videoShare": {"actorId": "actor", "videoId": "video"},
    "accountVideoRate": {"accountId": "account", "videoId": "video"},
    "userVideoHistory": {"userId": "user", "videoId": "video"},
    "abuseMessage": {"accountId": "account", "abuseId": "abuse"},
    "videoAbuse": {"abuseId": "abuse", "videoId": "video"},
    "commentAbuse": {"abuseId": "abuse", "videoCommentId": "comment"},
    "accountBlocklist": {"accountId": "account", "targetAccountId": "account"},
    "videoPlaylistElement": {"videoPlaylistId": "playlist", "videoId": "video"},
    "commentAutomaticTag": {"accountId": "account", "commentId": "comment"},
    "videoAutomaticTag": {"accountId": "account", "videoId": "video"},
    "videoChangeOwnership": {
        "initiatorAccountId": "account", "nextOwnerAccountId": "account", "videoId": "video",
    },
    "userNotification": {
        "userId": "user", "videoId": "video", "commentId": "comment", "abuseId": "abuse",
        "videoBlacklistId": "blacklist", "videoImportId": "import", "accountId": "account",
        "actorFollowId": "follow", "userRegistrationId": "registration",
        "videoCaptionId": "caption",
    },
}  # fmt: skip

AUTHORS = {
    "actorFollow": ("actorId", "actor", "actorId"),
    "abuse": ("reporterAccountId", "account", "reporterAccountId"),
    "abuseMessage": ("accountId", "account", "accountId"),
    "accountBlocklist": ("accountId", "account", "accountId"),
    "accountVideoRate": ("accountId", "account", "accountId"),
    "userVideoHistory": ("userId", "user", "userId"),
    "videoAbuse": ("abuseId", "reporter", "abuseId.reporterAccountId"),
    "videoChangeOwnership": ("initiatorAccountId", "account", "initiatorAccountId"),
    "videoComment": ("accountId", "account", "accountId"),
    "commentAbuse": ("abuseId", "reporter", "abuseId.reporterAccountId"),
    "commentAutomaticTag": ("commentId", "writer", "commentId.accountId"),
    "userNotification": ("userId", "user", "userId"),
    "videoPlaylistElement": ("videoPlaylistId", "owner", "videoPlaylistId.ownerAccountId"),
}
"""Whose act the row of a joint table is: a column, the people it leads to, the path declared."""


@dataclass(frozen=True)
class Verdicts:
    """The rows that go, and how many are held, by table."""

    going: Contents
    held: dict[str, int]


def verdicts(server: TestServer, url: str, *, authors: bool) -> Verdicts:
    """What should become of every row, before anything is moved."""
    script = [f"CREATE TEMP TABLE p_{n} AS {query};" for n, query in PEOPLE.items()]
    american = "SELECT \"userId\" AS u FROM residence WHERE country = 'US'"
    script.append(f"CREATE TEMP TABLE us AS {american};")
    theirs = "u IN (SELECT u FROM us)"
    for table, columns in ABOUT.items():
        about = " UNION ALL ".join(
            f'SELECT t.ctid AS c, p.u FROM "{table}" t JOIN p_{people} p ON p.id = t."{column}"'
            for column, people in columns.items()
        )
        judged = (
            f"SELECT c, bool_or({theirs}) AS any, bool_and({theirs}) AS all FROM ({about}) a"
            " GROUP BY c"
        )
        author = "NULL::boolean"
        if authors and table in AUTHORS:
            column, people, _ = AUTHORS[table]
            author = f'(SELECT bool_and(p.{theirs}) FROM p_{people} p WHERE p.id = t."{column}")'
        script.append(
            f"""SELECT '{table}|' || CASE WHEN j.all OR {author} THEN 'go' ELSE 'held' END
            || '|' || translate(t::text, E'\\n\\r', '  ')
            FROM "{table}" t JOIN ({judged}) j ON j.c = t.ctid
            WHERE j.any AND (j.all OR coalesce({author}, true));"""
        )
    going: Contents = {}
    held: Counter[str] = Counter()
    for line in server.psql(
        support.name_of(url), "--set=ON_ERROR_STOP=1", stdin="\n".join(script)
    ).splitlines():
        table, verdict, row = line.split("|", 2)
        if verdict == "go":
            going.setdefault(table, Counter())[row] += 1
        else:
            held[table] += 1
    return Verdicts(going, dict(held))
