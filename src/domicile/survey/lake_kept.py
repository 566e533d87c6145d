"""What a plan told about lakes, kept beside the state for the apply that carries it out.

Who is to be acted on, and which rows are about them, follows from files: the same files say the
same. A file is the same when its size, its place on the disk, and the times of its last change and
of the last change of its entry are; the last cannot be set by hand. What was kept under another
estate, other mandates, another version or another file is not found, and is worked out anew.

It holds whose rows are to go, as bits over keys: as the state, it belongs where the estate is run
from, and goes when the plan was carried out. `verify` never looks at it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.format import write_array

from domicile import __version__
from domicile.durable.files import writing_whole
from domicile.stores.parquet_files import LakeFile, Mark

Arrays = Mapping[str, npt.NDArray[Any]]


class Kept:
    """A folder with one file for each thing told; a file that cannot be read is not there."""

    def __init__(self, directory: Path, estate: str, *, note: bool = False) -> None:
        """`estate`: its digest. `note`: start anew and keep what is told; else only look."""
        self._folder = directory / "lakes"
        self._estate = estate
        self._note = note
        if note:
            self.clear()

    def key(self, *parts: object) -> str:
        """The name under which something that depends on all these parts is kept."""
        told = repr((__version__, self._estate, *parts))
        return blake2b(told.encode(), digest_size=16).hexdigest()

    def get(self, key: str) -> Arrays | None:
        """What was kept under a name; None when nothing whole is there."""
        try:
            with np.load(self._path(key), allow_pickle=False) as found:
                return {name: found[name] for name in found.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def put(self, key: str, arrays: Arrays) -> None:
        """Keep it, where there is room: what is not kept is worked out again."""
        if not self._note:
            return
        path = self._path(key)
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with writing_whole(path, secret=True) as file, zipfile.ZipFile(file, "w") as members:
                for name, array in arrays.items():
                    with members.open(f"{name}.npy", "w", force_zip64=True) as member:
                        write_array(member, array, allow_pickle=False)

    def clear(self) -> None:
        """Forget everything."""
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.npz"


def stamps(files: Sequence[LakeFile]) -> tuple[tuple[str, int, int, int, int], ...] | None:
    """What tells that these files are the ones they were; None when one is not as listed."""
    found = []
    for file in files:
        try:
            now = file.path.lstat()
        except OSError:
            return None
        if Mark.of(now) != file.mark:
            return None
        found.append((file.relative, now.st_size, now.st_mtime_ns, now.st_ino, now.st_ctime_ns))
    return tuple(found)
