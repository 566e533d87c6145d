"""Copying files into a folder and taking them out of it, so that a kill anywhere loses nothing.

Every path is opened part by part below the folder's own descriptor, without following links, so
that neither a name nor a folder exchanged for a link under way leads out of it.

    receive     bytes under a temporary name, durable, digest of what was sent and of what is there
    settle      the temporary name becomes the file's; what stands there is never overwritten
    take        a file that is unchanged goes; one that is not keeps its name
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType

from domicile.errors import StoreRefused, StoreUnreachable
from domicile.stores.parquet_files import Mark

OURS = ".domicile-tmp-"
"""How the names of our unfinished files begin."""

INCOMING, LEAVING = f"{OURS}in-", f"{OURS}out-"
"""Of a copy that is being written; of a file that is about to go."""

PIECE = 1 << 20
"""Bytes read at a time."""

_NOFOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Received:
    """A copy under its temporary name."""

    digest: str  # sha256:… of the bytes sent, and of those read back
    size: int
    mark: Mark  # of the copy
    changed: bool  # the source changed under way: the copy is of no use


class Folder:
    """One opened folder. A context manager. All paths are relative, with `/` between parts.

    Every method raises StoreRefused, without the file's name, when the file system refuses.
    """

    def __init__(self, store: str, root: Path) -> None:
        """Raises StoreUnreachable."""
        self.store = store
        try:
            self.root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise StoreUnreachable(
                store, f"the folder cannot be opened: {error.strerror}",
                hint="a home must be there too, however empty: a missing one may be a disk that "
                "is not mounted",
            ) from error  # fmt: skip

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.root)

    # Looking.

    def mark(self, path: str) -> Mark | None:
        """The mark of a regular file; None when there is none under that name."""
        with self._refusing(), self._parent(path) as (folder, name):
            return _mark(folder, name) if folder is not None else None

    def digest(self, path: str) -> tuple[str, Mark] | None:
        """sha256:… of a file with its mark; None when it is not there or changes meanwhile."""
        with self._refusing(), self._opened(path) as fd:
            if fd is None:
                return None
            before = Mark.of(os.fstat(fd))
            digest = _digest(fd)
            return (digest, before) if Mark.of(os.fstat(fd)) == before else None

    def incoming(self, path: str) -> str:
        """The temporary name of a copy of `path`: the same each time."""
        return _beside(path, INCOMING)

    def leaving(self, path: str) -> str:
        """The temporary name of `path` while it goes: the same each time."""
        return _beside(path, LEAVING)

    # Copying in.

    def receive(self, source: Folder, path: str, seen: Mark) -> Received | None:
        """Copy `path` of another folder under its temporary name here, durable and read back.

        The copy has the source's times, mode and owner. None when the source is not there any
        more. Raises StoreRefused; then nothing of it is left, but after a kill.
        """
        with source._refusing(), source._opened(path) as given:
            if given is None:
                return None
            with self._refusing(), self._parent(path, like=source) as (folder, name):
                assert folder is not None  # it was made
                temporary = PurePosixPath(_beside(name, INCOMING)).name
                with suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=folder)
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW
                taken = os.open(temporary, flags, 0o600, dir_fd=folder)
                try:
                    return self._copy(given, taken, seen)
                except BaseException:
                    with suppress(OSError):
                        os.unlink(temporary, dir_fd=folder)
                    raise
                finally:
                    os.close(taken)

    def _copy(self, given: int, taken: int, seen: Mark) -> Received:
        sent = hashlib.sha256()
        size = 0
        while piece := os.read(given, PIECE):
            sent.update(piece)
            size += len(piece)
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(taken, rest) :]
        found = os.fstat(given)
        self._own(taken, found)
        os.utime(taken, ns=(found.st_atime_ns, found.st_mtime_ns))
        os.fsync(taken)
        # From the disk, not from the pages that were just written.
        os.posix_fadvise(taken, 0, 0, os.POSIX_FADV_DONTNEED)
        os.lseek(taken, 0, os.SEEK_SET)
        if (back := _digest(taken)) != f"sha256:{sent.hexdigest()}":
            raise StoreRefused(
                self.store,
                f"what was read back of a file is not what was written: {size} bytes",
                hint="nothing was deleted; is the disk sound?",
            )
        changed = Mark.of(found) != seen
        return Received(back, size, Mark.of(os.fstat(taken)), changed)

    def _own(self, taken: int, found: os.stat_result) -> None:
        """The application reads the copy as it reads the file."""
        os.fchmod(taken, stat.S_IMODE(found.st_mode))
        mine = os.fstat(taken)
        if (mine.st_uid, mine.st_gid) != (found.st_uid, found.st_gid):
            try:
                os.fchown(taken, found.st_uid, found.st_gid)
            except PermissionError as error:
                raise StoreRefused(
                    self.store,
                    "a file to be copied here belongs to another user or group",
                    hint="run the command as the user whose files these are",
                ) from error

    def settle(self, path: str, copy: Mark, over: Mark | None = None) -> bool:
        """Give the copy its name. What stands there is replaced only when it is `over`, in one
        rename, so that the name always leads to a whole file.

        Whether the file stands there now. The copy must be as it was received.
        """
        with self._refusing(), self._parent(path) as (folder, name):
            if folder is None:
                return False
            temporary = PurePosixPath(_beside(name, INCOMING)).name
            if _mark(folder, temporary) != copy:
                return False
            if over is not None:
                named = _mark(folder, name) == over and _same(folder, name, over, None)
                if named:
                    os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            else:
                named = _name(folder, temporary, name)
            if not named:
                os.unlink(temporary, dir_fd=folder)
            os.fsync(folder)
            return named

    def discard(self, path: str) -> None:
        """Remove an unfinished copy, named as it stands in the folder."""
        with self._refusing(), self._parent(path) as (folder, name):
            if folder is not None and name.startswith(INCOMING):
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)

    # Taking away.

    def take(self, path: str, seen: Mark, digest: str | None) -> bool:
        """Delete a file, durably, if it is what was seen; whether it is gone.

        It loses its name first, so that nobody opens it any more; then whoever has it open for
        writing is asked about (a lease, where the file system gives them), and size, time and
        digest are compared. One that is not what was seen gets its name back.
        """
        with self._refusing(), self._parent(path) as (folder, name):
            return folder is None or self._take(folder, name, seen, digest)

    def finish_taking(self, path: str, seen: Mark, digest: str | None, *, go: bool) -> None:
        """After a kill in `take`: delete what lost its name, or give the name back."""
        with self._refusing(), self._parent(path) as (folder, name):
            if folder is None:
                return
            temporary = PurePosixPath(_beside(name, LEAVING)).name
            if _mark(folder, temporary) is None:
                return
            if go and _same(folder, temporary, seen, digest):
                os.unlink(temporary, dir_fd=folder)
                os.fsync(folder)
            else:
                _give_back(folder, temporary, name)

    def _take(self, folder: int, name: str, seen: Mark, digest: str | None) -> bool:
        found = _mark(folder, name)
        if found is None:
            return True
        if found != seen:
            return False
        temporary = PurePosixPath(_beside(name, LEAVING)).name
        if _mark(folder, temporary) is not None:
            return False
        os.rename(name, temporary, src_dir_fd=folder, dst_dir_fd=folder)
        if not _same(folder, temporary, seen, digest):
            _give_back(folder, temporary, name)
            return False
        os.unlink(temporary, dir_fd=folder)
        os.fsync(folder)
        return True

    def prune(self, path: str, above: int) -> None:
        """Remove folders that became empty above `path`, but for the first `above` parts: their
        names are values of rows that went."""
        parts = PurePosixPath(path).parts[:-1]
        with suppress(OSError):  # something is in it
            for depth in range(len(parts), above, -1):
                with self._parent("/".join(parts[:depth])) as (folder, name):
                    if folder is None:
                        return
                    os.rmdir(name, dir_fd=folder)
                    os.fsync(folder)

    # Below the folder.

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = {
                errno.ENOSPC: "make room there and run the same command again",
                errno.EDQUOT: "make room there and run the same command again",
                errno.EROFS: "mount it for writing and run the same command again",
            }.get(error.errno or 0, "nothing was lost; mend that and run the same command again")
            raise StoreRefused(
                self.store, f"a file cannot be read or written: {error.strerror}", hint=hint
            ) from error

    @contextmanager
    def _parent(self, path: str, like: Folder | None = None) -> Iterator[tuple[int | None, str]]:
        """The folder that a path is in, opened, and its last part; None when it is not there.

        `like`: folders that are missing are made, with the modes that they have in that folder.
        """
        *above, name = path.split("/")
        if name in ("", ".", "..") or any(p in ("", ".", "..") for p in above):
            raise OSError(errno.EINVAL, "the name is not one of a file in the folder")
        here: int | None = os.dup(self.root)
        try:
            for depth, part in enumerate(above, 1):
                assert here is not None
                if like is not None:
                    self._make(here, part, "/".join(above[:depth]), like)
                try:
                    inside = os.open(part, os.O_RDONLY | os.O_DIRECTORY | _NOFOLLOW, dir_fd=here)
                except (FileNotFoundError, NotADirectoryError):
                    if like is not None:
                        raise  # a link, or a file, stands where a folder should be made
                    os.close(here)
                    here = None
                    break
                os.close(here)
                here = inside
            yield here, name
        finally:
            if here is not None:
                os.close(here)

    def _make(self, here: int, part: str, path: str, like: Folder) -> None:
        try:
            os.mkdir(part, 0o700, dir_fd=here)
        except FileExistsError:
            return
        with like._parent(f"{path}/x") as (theirs, _):
            if theirs is not None:
                made = os.open(part, os.O_RDONLY | os.O_DIRECTORY | _NOFOLLOW, dir_fd=here)
                try:
                    self._own(made, os.fstat(theirs))
                finally:
                    os.close(made)
        os.fsync(here)

    @contextmanager
    def _opened(self, path: str) -> Iterator[int | None]:
        """A regular file for reading; None when there is none under that name."""
        with self._parent(path) as (folder, name):
            if folder is None or _mark(folder, name) is None:
                yield None
                return
            try:
                fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _NOFOLLOW, dir_fd=folder)
            except FileNotFoundError:
                yield None
                return
            try:
                yield fd if stat.S_ISREG(os.fstat(fd).st_mode) else None
            finally:
                os.close(fd)


def _beside(path: str, kind: str) -> str:
    """A temporary name in the same folder, of fixed length, that tells nothing of the name."""
    folder, _, name = path.rpartition("/")
    said = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return f"{folder}/{kind}{said}" if folder else f"{kind}{said}"


def _mark(folder: int, name: str) -> Mark | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return Mark.of(found) if stat.S_ISREG(found.st_mode) else None


def _digest(fd: int) -> str:
    digest = hashlib.sha256()
    while piece := os.read(fd, PIECE):
        digest.update(piece)
    return f"sha256:{digest.hexdigest()}"


def _same(folder: int, name: str, seen: Mark, digest: str | None) -> bool:
    """Whether nobody has the file open for writing and it is what was seen."""
    fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _NOFOLLOW, dir_fd=folder)
    try:
        if _written(fd) or Mark.of(os.fstat(fd)) != seen:
            return False
        if digest is not None and _digest(fd) != digest:
            return False
        return Mark.of(os.fstat(fd)) == seen
    finally:
        os.close(fd)


def _written(fd: int) -> bool:
    """Whether somebody has the file open for writing, where the kernel tells.

    A read lease is given only when nobody has (fcntl(2), Leases); it is returned at once. Without
    leases (network file systems, files of other users) the marks must do.
    """
    try:
        # Should somebody open it now by another name, we are told by a signal that is ignored.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _give_back(folder: int, temporary: str, name: str) -> None:
    """The name again; where another file has it by now, one beside it, so that nothing is lost."""
    if not _name(folder, temporary, name):
        _name(folder, temporary, f"{name[:200]}.kept-{temporary[-8:]}")
    os.fsync(folder)


def _name(folder: int, temporary: str, name: str) -> bool:
    """Give a file another name unless something has it; whether it has it now."""
    try:
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        os.unlink(temporary, dir_fd=folder)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if _there(folder, name):
            return False
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    return True


_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What a file system without hard links answers; there a name is looked at, then given."""


def _there(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
