"""What a review proves and what not, and how to check it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from domicile.evidence.place import state_directory, verifier_path
from domicile.review.model import Block, Bullets, Heading, Paragraph, Ref, Section, Verbatim
from domicile.review.writer import Writer

VERIFIER = "python3 domicile_verify.py review {file} LOG KEY"


def proof(w: Writer, file: str, form: str) -> Section:
    """The attack model in a page; `file` is the review's own name."""
    return Section("proof", w.words("proof"), tuple(_blocks(w, file, form)))


def _blocks(w: Writer, file: str, form: str) -> Iterator[Block]:
    words, found = w.words, w.assessed
    yield Heading(words("not_proves"))
    yield Bullets(tuple((words(f"not_proves_{n}"),) for n in range(1, 6)))
    yield Heading(words("proves"))
    yield Bullets(tuple((words(f"proves_{n}"),) for n in range(1, 4)))
    rotated = [i for i, _ in found.of("key_rotated")]
    if rotated:
        refs = tuple(piece for i in rotated for piece in (" ", Ref(i)))
        yield w.said("keys_changed", entries=refs)
    for index, _ in found.of("succession"):
        yield w.said("succeeded", entry=Ref(index))
    for index, entry in found.of("commitment_key"):
        if entry["event"] == "destroyed":
            yield w.said("people_destroyed", entry=Ref(index))
    yield Heading(words("check_title"))
    yield w.plain("check_lead")
    witnesses = {key: need["need"] for need in found.needs for key in need["of"]}
    more = "".join(f" --witness {key}" for key in witnesses)
    if found.needs:
        more += f" --need {max(need['need'] for need in found.needs)}"
    yield Verbatim(words("check_command"), VERIFIER.format(file=file) + more)
    yield Paragraph((words(f"check_{form}"),))
    key = (
        verifier_path(state_directory(Path(found.examined.estate.file))).read_text("utf-8").strip()
    )
    yield Verbatim(words("check_key"), key)
    yield Verbatim(words("check_head"), found.log.checkpoint().rstrip("\n"))
