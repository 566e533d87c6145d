"""A log in an object store: S3, or what speaks as it does.

Whoever appends first puts everything that the new head needs into one object below `staged/`,
then swaps the head, and then writes the tiles to their places. So a path of a tile is only ever
written with the bytes that a swapped head gives it, by whomever and however often; writers need no
lock, and one that dies after the swap is finished by the next, from what it staged. The head is
an object of its own, swapped with If-Match (If-None-Match for the first): two writers cannot both
follow one head. The checkpoint, which readers read, is published after the tiles.

Credentials and endpoint come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_REGION, AWS_ENDPOINT_URL, or the machine's role), never from the address. Errors that pass are
tried again by the client, `RETRIES` times at most.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from domicile.errors import EvidenceError, UsageError
from domicile.evidence.bulk import CHECKPOINT, STAGED
from domicile.evidence.head import HeadMoved
from domicile.evidence.note import Checkpoint, parse_note

if TYPE_CHECKING:
    from obstore import ObjectMeta, PutResult, UpdateVersion
    from obstore.store import S3Store

HEAD = "head"
"""The head's object, beside the checkpoint. Its first line names what was staged for it."""

RETRIES = 6
RETRY_SECONDS = 60
TIMEOUT_SECONDS = 20

WRITERS = 16
"""Objects that are written at the same time."""

_CODE = re.compile(r"<Code>(\w{1,50})</Code>")
_PREFIX = re.compile(r"[A-Za-z0-9._/-]{0,500}")


class Taken(Exception):
    """A condition of a write did not hold: another object is there."""


class ObjectFiles:
    """The objects below one prefix. Fit for one writing thread at a time, as `Log` sees to."""

    shared = True

    def __init__(self, store: S3Store, place: str) -> None:
        """Use `ObjectFiles.at`."""
        self._store = store
        self._place = place
        self._pending: dict[str, bytes] = {}
        self.token = ""  # of what was staged last, until it was written
        self._staged: dict[str, bytes] = {}

    @classmethod
    def at(cls, url: str) -> ObjectFiles:
        """The objects at `s3://BUCKET/PREFIX`; nothing is asked of the store yet.

        Raises UsageError: a misshapen address, or the extra is not installed.
        """
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        prefix = prefix.strip("/")
        parts = prefix.split("/") if prefix else []
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket) or any(
            not _PREFIX.fullmatch(part) or part in ("", ".", "..") for part in parts
        ):
            raise UsageError(
                "the log's address is not s3://BUCKET/PREFIX of letters, digits, '.', '_' and '-'",
                hint="credentials and endpoint are not in it: they come from the environment, "
                "see docs/evidence.md",
            )
        try:
            from obstore.store import S3Store
        except ImportError as e:
            raise UsageError(
                "a log in an object store needs the extra `s3`, which is not installed",
                hint="run: pip install 'domicile[s3]'",
            ) from e
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
        store = S3Store(
            bucket, prefix=prefix or None,
            client_options={
                "timeout": timedelta(seconds=TIMEOUT_SECONDS),
                "allow_http": endpoint.startswith("http://"),
            },
            retry_config={
                "max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)
            },
        )  # fmt: skip
        return cls(store, f"s3://{bucket}/{prefix}".rstrip("/"))

    @property
    def place(self) -> str:
        """The address, without anything secret."""
        return self._place

    def exists(self) -> bool:
        """Whether there is a checkpoint or a head."""
        return self.read(CHECKPOINT) is not None or self.read(HEAD) is not None

    def make(self) -> None:
        """Nothing: a bucket is made by whoever owns it."""

    def read(self, path: str) -> bytes | None:
        """As `Bulk.read`."""
        return self.get(path)[0]

    def names(self, path: str) -> list[str]:
        """As `Bulk.names`."""
        with self._asking():
            found = self._store.list_with_delimiter(path)
        paths = [*found["common_prefixes"], *(each["path"] for each in found["objects"])]
        return [each.rpartition("/")[2] for each in paths if each != path]  # a folder's own mark

    def tree(self, below: str) -> Iterator[str]:
        """As `Bulk.tree`; the store lists in the order of paths."""
        with self._asking():
            for page in self._store.list(below):
                yield from (each["path"] for each in page if each["path"] != below)

    def write(self, path: str, content: bytes) -> None:
        """Keep the content until `settle`."""
        self._pending[path] = content

    def settle(self) -> None:
        """Put all that was written since into one staged object, under a name of its own."""
        packed = _pack(self._pending)
        token = f"{sha256(packed).hexdigest()}-{os.urandom(16).hex()}"
        self.put(f"{STAGED}/{token}", packed)
        self.token, self._staged, self._pending = token, self._pending, {}

    def replace(self, path: str, content: bytes) -> None:
        """As `Bulk.replace`."""
        self.put(path, content)

    def publish(self, note: bytes) -> None:
        """As `Bulk.publish`: a slow writer never puts an older head over a later one."""
        while True:
            there, tag = self.get(CHECKPOINT)
            if there is not None and _rank(there) >= _rank(note):
                return
            try:
                self.put(CHECKPOINT, note, tag or "create")
                return
            except Taken:
                continue  # somebody published meanwhile: look again

    def remove(self, path: str) -> None:
        """As `Bulk.remove`."""
        self._delete([path, *self.tree(path)])

    @contextmanager
    def writer(self) -> Iterator[None]:
        """Nobody waits here: the head's swap decides. What a failed append wrote is forgotten."""
        self._pending.clear()
        yield

    def head(self) -> ObjectHead:
        """The head beside these objects."""
        return ObjectHead(self)

    def unpack(self, token: str) -> None:
        """Write what was staged under this name to its places, and remove it from there.

        Nothing when it is gone: somebody did it. Raises EvidenceError when it is damaged.
        """
        if token == self.token:
            files = self._staged
        else:
            packed = self.read(f"{STAGED}/{token}")
            if packed is None:
                return
            if sha256(packed).hexdigest() != token.partition("-")[0]:
                raise EvidenceError(
                    f"{self.place}/{STAGED}/{token} is not what was staged for the head",
                    hint="restore it from a version or a backup; nothing was changed",
                )
            files = dict(_unpack(packed))
        with ThreadPoolExecutor(min(WRITERS, max(len(files), 1))) as pool:
            for done in [pool.submit(self.put, path, files[path]) for path in files]:
                done.result()
        self._delete([f"{STAGED}/{token}"])
        self.token, self._staged = "", {}

    def drop(self) -> None:
        """Remove what was staged for a head that was not to be."""
        token, self.token, self._staged = self.token, "", {}
        if token:
            self._delete([f"{STAGED}/{token}"])

    def get(self, path: str) -> tuple[bytes | None, UpdateVersion | None]:
        """An object and what its next writer must match; None twice when there is none."""
        try:
            with self._asking():
                found = self._store.get(path)
                content = bytes(found.bytes())
        except FileNotFoundError:
            return None, None
        return content, _version(found.meta)

    def put(
        self, path: str, content: bytes, match: UpdateVersion | str = "overwrite"
    ) -> UpdateVersion:
        """Write an object; `match` is what must be there, "create" for nothing. Raises Taken."""
        mode: Any = match
        with self._asking():
            put = self._store.put(path, content, mode=mode, use_multipart=False)
        return _version(put)

    def _delete(self, paths: Iterable[str]) -> None:
        with self._asking():
            self._store.delete(list(paths))

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Turn the client's errors into OSError, without what they quote."""
        from obstore import exceptions

        try:
            yield
        except FileNotFoundError:
            raise
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError) as e:
            raise Taken from e
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as e:
            said = "the object store refuses the credentials of the environment"
            raise OSError(errno.EACCES, said) from e
        except exceptions.BaseError as e:
            code = _CODE.search(str(e))  # S3's own word, as NoSuchBucket
            what = code[1] if code else type(e).__name__
            said = f"the object store did not answer as it should ({what})"
            raise OSError(errno.EIO, said) from e


class ObjectHead:
    """The head as an object beside the files, swapped with a condition on what was there."""

    def __init__(self, files: ObjectFiles) -> None:
        self.files = files
        self._token = ""  # of what was staged for the head that was seen last
        self._note: bytes | None = None
        self._tag: UpdateVersion | None = None  # what the next swap must match

    @property
    def place(self) -> str:
        """Its address."""
        return f"{self.files.place}/{HEAD}"

    def read(self) -> bytes | None:
        """As `Head.read`."""
        content, self._tag = self.files.get(HEAD)
        token, _, note = (content or b"").partition(b"\n")
        self._token, self._note = token.decode("ascii", "replace"), note or None
        return self._note

    def swap(self, expected: bytes | None, note: bytes) -> None:
        """As `Head.swap`.

        A request that the client tried again may be refused because of its own first try, so
        whoever is refused looks at what is there: each head names what was staged for it alone.
        """
        if expected != self._note:
            self.read()
        try:
            if expected != self._note:
                raise Taken
            content = f"{self.files.token}\n".encode() + note
            self._tag = self.files.put(HEAD, content, self._tag or "create")
            self._token, self._note = self.files.token, note
        except Taken as e:
            if (self.read(), self._token) != (note, self.files.token):
                self.files.drop()
                raise HeadMoved(
                    f"{self.place}: another writer moved the head",
                    hint="run the same command again: it starts from the new head",
                ) from e

    def finish(self) -> None:
        """As `Head.finish`."""
        if self._token:
            self.files.unpack(self._token)
            self._token = ""


def _version(found: PutResult | ObjectMeta) -> UpdateVersion:
    """What the next conditional write of this object must match."""
    if found["version"] is None:
        return {"e_tag": found["e_tag"]}
    return {"e_tag": found["e_tag"], "version": found["version"]}


def _rank(note: bytes) -> tuple[int, int]:
    """By which of two heads the later is told: its size, then how many have signed it."""
    parsed = parse_note(note)
    return Checkpoint.parse(parsed.text).size, len(parsed.signatures)


def _pack(files: dict[str, bytes]) -> bytes:
    """Files in one piece: for each the lengths of path (2 bytes) and content (4), then both."""
    return b"".join(
        len(name := path.encode()).to_bytes(2, "big") + len(content).to_bytes(4, "big")
        + name + content
        for path, content in files.items()
    )  # fmt: skip


def _unpack(packed: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at < len(packed):
        name = at + 6
        content = name + int.from_bytes(packed[at : at + 2], "big")
        at = content + int.from_bytes(packed[at + 2 : at + 6], "big")
        yield packed[name:content].decode(), packed[content:at]
