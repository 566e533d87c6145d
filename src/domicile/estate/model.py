"""The estate as pure data. `estate/load.py` makes it from YAML; nothing here does I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal


@dataclass(frozen=True, order=True)
class TableName:
    """A table as the estate names it: the schema's label (`holds`) and the table's own name.

    Written `app.customer` or `app."User Account"`, quoted as in SQL where needed.
    """

    holds: str
    table: str

    def __str__(self) -> str:
        return f"{quote_if_needed(self.holds)}.{quote_if_needed(self.table)}"


@dataclass(frozen=True, order=True)
class ColumnName:
    """A column of a table: `events.watch.user_id`."""

    table: TableName
    column: str
    json: tuple[str, ...] = ()  # steps into a JSON value: events.watch.payload->user->id

    def __str__(self) -> str:
        return ".".join([str(self.table), quote_if_needed(self.column)]) + "".join(
            f"->{step if step.isdecimal() else quote_if_needed(step)}" for step in self.json
        )


@dataclass(frozen=True)
class Hop:
    """One foreign-key hop. Forward: `columns` of this row refer to the next row.

    Backward (`<residence`): a row of `table` refers to this row, uniquely.
    """

    name: str  # a column of this row, or for a backward hop the name of the referring table
    backward: bool = False


@dataclass(frozen=True)
class Path:
    """Foreign-key hops and then a column: `address_id.city_id.country_id.country`.

    For `author` every element is a hop and `column` is empty.
    """

    hops: tuple[Hop, ...]
    column: str = ""

    def __str__(self) -> str:
        parts = [("<" if h.backward else "") + quote_if_needed(h.name) for h in self.hops]
        return ".".join(parts + ([quote_if_needed(self.column)] if self.column else []))


@dataclass(frozen=True)
class Store:
    """A database, lake or bucket. `url` has its `${ENV}` filled in; never print it: use `shown`."""

    name: str
    url: str
    country: str  # ISO 3166-1 alpha-2
    operator: str
    holds: str
    schema: str = ""  # the store's own name for it; `public` in PostgreSQL when left out
    shown: str = ""  # the URL with user information removed
    files: bool = False  # a folder of files that `objects` names, and no lake

    @property
    def kind(self) -> str:
        """The URL's scheme: postgresql, sqlite, file, memory; or `files`, for a folder of files."""
        return "files" if self.files else self.url.split(":", 1)[0]


@dataclass(frozen=True)
class Subject:
    """People that data are about; the register has one row for each."""

    name: str
    register: TableName
    key: tuple[str, ...]
    residence: Path | None = None
    born: Path | None = None


@dataclass(frozen=True)
class Link:
    """Ownership that no foreign key declares: the column holds a subject's key, or a row's.

    `more` and `more_to`: the further columns of a key of several, in one order; to a subject, in
    that of its key. `where`: the link holds only for rows in which each of these columns has one
    of these texts, which is how `commentable_type` says what `commentable_id` is a key of.
    """

    source: ColumnName
    subject: str = ""  # the name of a subject, or
    target: ColumnName | None = None  # a column of a table
    more: tuple[str, ...] = ()  # columns of the source's table
    more_to: tuple[str, ...] = ()  # columns of the target's table
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()  # column of the source's table → texts

    @property
    def columns(self) -> tuple[str, ...]:
        """All referring columns."""
        return (self.source.column, *self.more)

    def __str__(self) -> str:
        further = [str(ColumnName(self.source.table, c)) for c in self.more]
        text = ", ".join([str(self.source), *further])
        said = " and ".join(f"{c} is {' or '.join(v)}" for c, v in self.where)
        return f"{text} where {said}" if said else text


@dataclass(frozen=True)
class TableRole:
    """What only a person can confirm about a table."""

    role: Literal["", "attachment", "reference", "ignore"] = ""
    of: tuple[ColumnName, ...] = ()  # attachment: the references that describe; empty: worked out
    joint: Literal["hold", "author", "split"] = "hold"
    author: Path | None = None
    keep: tuple[str, ...] = ()  # split: columns that stay with the pseudonymous copy


@dataclass(frozen=True)
class Owner:
    """Who owns how much of an organisation, in percent."""

    name: str
    share: float
    country: str = ""


@dataclass(frozen=True)
class Organisation:
    """An operator, employer or recipient."""

    name: str
    country: str
    owned_by: tuple[Owner, ...] = ()


@dataclass(frozen=True)
class ObjectRule:
    """Files that belong to rows: `videos/{app.video.id}.mp4` in a folder of files."""

    store: str
    key: str
    table: TableName
    parts: tuple[str | ColumnName, ...]  # the key in pieces: texts, and columns of `table`


@dataclass(frozen=True)
class Flow:
    """What an organisation receives from a schema."""

    source: str
    to: str
    categories: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    country: str = ""


@dataclass(frozen=True)
class Approver:
    """Who may approve plans: a verifier key (name+id+base64), for one role at one operator."""

    key: str
    role: str
    operator: str


@dataclass(frozen=True)
class Witness:
    """Who cosigns the log's heads: a verifier key, and where it answers (empty: by hand)."""

    name: str
    key: str
    url: str = ""


@dataclass(frozen=True)
class Service:
    """What is offered to people, by whom and where."""

    name: str
    publisher: str
    countries: tuple[str, ...]
    monthly_users: int | None = None


@dataclass(frozen=True)
class LegalHold:
    """Art. 17(3) GDPR or litigation: stops erasure of what it names, visibly."""

    name: str
    reason: str
    tables: tuple[TableName, ...] = ()
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColumnVerdict:
    """What a person knows better than the survey."""

    category: str


@dataclass(frozen=True)
class Fleet:
    """Devices as one device management system, or one file, reports them.

    `secret` and `webhook_secret` are names of environment variables; their values are read when
    they are used, and kept nowhere.
    """

    name: str
    source: str  # csv, json, graph, fleet, android, nanomdm
    file: str = ""  # absolute
    url: str = ""
    tenant: str = ""
    client: str = ""
    login: str = ""
    secret: str = ""
    webhook_secret: str = ""
    ownership: str = ""  # corporate, personal, contractor; where the inventory does not say
    scope: str = ""  # all, managed; where the inventory does not say


@dataclass(frozen=True)
class Mail:
    """How mail is sent: `server` is smtp://host:port or smtps://host:port."""

    server: str
    sender: str
    user: str = ""
    secret: str = ""


@dataclass(frozen=True)
class Webhook:
    """Where notices are also sent, signed with the secret in that environment variable."""

    url: str
    secret: str


@dataclass(frozen=True)
class SignalTarget:
    """A service that is told of devices whose access changed, with security event tokens.

    `secret` is the name of the environment variable with the token that it asks for.
    """

    to: str
    url: str
    audience: str
    secret: str = ""


@dataclass(frozen=True)
class SignalSource:
    """A system that tells us whether devices comply: its `iss`, and the file with its public keys
    (a JWK set); `fleets` are those of which it may speak, all when empty."""

    name: str
    issuer: str
    keys: str  # absolute
    fleets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Signals:
    """Security events sent and taken; `key` is the variable with the private key, when declared."""

    key: str = ""
    targets: tuple[SignalTarget, ...] = ()
    sources: tuple[SignalSource, ...] = ()


@dataclass(frozen=True)
class DeviceException:
    """A device that a ban does not reach from one day until the end of another."""

    device: str
    mandate: str
    purpose: str
    document: str
    approved_by: str
    until: date
    start: date | None = None
    fleet: str = ""
    clause: str = ""


@dataclass(frozen=True)
class DeviceSettings:
    """How owners of devices are told, and who is excepted."""

    people: str = ""  # absolute file of owners
    language: str = "en"
    timezone: str = "UTC"
    contact: str = ""
    page: str = ""
    point: str = ""  # where the decision point is reached by services and other systems
    mail: Mail | None = None
    webhook: Webhook | None = None
    signals: Signals | None = None
    exceptions: tuple[DeviceException, ...] = ()


@dataclass(frozen=True)
class Estate:
    """Everything declared in `estate.yaml`, checked and normalised."""

    name: str
    file: str
    digest: str  # sha256:… of the canonical declaration, ENV values excluded
    stores: tuple[Store, ...]
    subjects: tuple[Subject, ...]
    controller: Organisation | None = None
    organisations: tuple[Organisation, ...] = ()
    links: tuple[Link, ...] = ()
    columns: dict[ColumnName, ColumnVerdict] = field(default_factory=dict)
    tables: dict[TableName, TableRole] = field(default_factory=dict)
    objects: tuple[ObjectRule, ...] = ()
    flows: tuple[Flow, ...] = ()
    legal_holds: tuple[LegalHold, ...] = ()
    mandate_files: tuple[str, ...] = ()
    approvers: tuple[Approver, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    fleets: tuple[Fleet, ...] = ()
    devices: DeviceSettings = DeviceSettings()
    services: tuple[Service, ...] = ()
    watchers: tuple[str, ...] = ()  # addresses that the watch tells

    def store(self, name: str) -> Store:
        """The store of that name. Raises KeyError."""
        return next(s for s in self.stores if s.name == name)

    def cells(self, holds: str) -> tuple[Store, ...]:
        """The stores that hold that schema, as declared."""
        return tuple(s for s in self.stores if s.holds == holds)

    def subject(self, name: str) -> Subject:
        """The subject of that name. Raises StopIteration when there is none."""
        return next(s for s in self.subjects if s.name == name)


def quote_if_needed(name: str) -> str:
    """Quote a name as in SQL where a bare word would not do."""
    bare = name[:1].isalpha() or name[:1] == "_"
    if bare and all(c.isalnum() or c in "_$-" for c in name):
        return name
    return '"' + name.replace('"', '""') + '"'
