"""Makes a review: assesses, writes, records its digest, and signs its figures.

What is signed is a note (C2SP signed-note): `domicile/review/v1`, then one line of canonical JSON
(RFC 8785) with every figure and its places in the log, the digest of the file, and the head of the
log. The log holds the digest of that line in an entry of the kind `review`. The note stands in the
page itself, or beside a PDF in a file that ends in `.note`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import rfc8785

from domicile import __version__
from domicile.durable.files import write_whole
from domicile.errors import UsageError
from domicile.evidence.kinds import make
from domicile.review.assess import Assessed, assess
from domicile.review.compose import compose
from domicile.review.figures import steps
from domicile.review.html import to_html, with_signed
from domicile.review.model import Review
from domicile.review.pdf import need_typst, to_pdf

Doc = dict[str, Any]
Form = Literal["html", "pdf"]

HEADER = "domicile/review/v1"
"""The first line of what is signed; the second is no number, so that it is no checkpoint."""


def form_of(target: Path) -> Form:
    """html or pdf, by the file's ending. Raises UsageError."""
    ending = target.suffix.lower()
    if ending in (".html", ".htm"):
        return "html"
    if ending == ".pdf":
        need_typst()
        return "pdf"
    raise UsageError(
        f"cannot tell what form {target.name} should have",
        hint="name a FILE that ends in .html or .pdf",
    )


def make_review(
    path: Path, target: Path, language: str, day: date,
    progress: Callable[[str], None] = lambda _: None,
) -> Doc:  # fmt: skip
    """Write the review of the estate declared in `path` to `target`; the document of `--json`.

    Raises DomicileError. When it fails before its end, the log may hold the assessment already,
    and no file is written.
    """
    form = form_of(target)
    found = assess(path, day, progress)
    progress("writing")
    review = compose(found, language, file=target.name, form=form)
    controller = found.examined.estate.controller
    author = controller.name if controller else found.examined.estate.name
    written = to_html(review) if form == "html" else to_pdf(review, author)
    said = signed(found, review, written, form)
    digest = digest_of(said)
    estate = found.examined.estate.name
    (index,) = found.log.append([
        make("review", estate, digest=digest, assessment=found.parts[-1],
             figures=len(said["figures"]), form=form, language=language)
    ])  # fmt: skip
    note = found.log.sign(text_of(said))
    files = [target]
    if form == "html":
        _write(target, with_signed(written, note))
    else:
        files.append(target.with_name(target.name + ".note"))
        _write(files[1], note.encode())
        _write(target, written)
    missing = found.missing()
    return {
        **said,
        "version": 1,
        "made_by": __version__,
        "entry": index,
        "files": [str(file) for file in files],
        "clauses": [
            {"mandate": s.mandate.id, "clause": s.clause.id, "kind": s.clause.kind,
             "state": s.state, "findings": s.findings, "people": s.people, "rows": s.rows,
             "deadline": s.due.isoformat() if s.due else None}
            for s in found.stands
        ],
        "counts": not missing,
        "missing": [{"mandate": n["mandate"], "need": n["need"], "there": there}
                    for n, there in missing],
    }  # fmt: skip


def signed(found: Assessed, review: Review, written: bytes, form: Form) -> Doc:
    """What is signed of a review, as a document."""
    return body(
        review, written, form, estate=found.examined.estate.name,
        as_of=found.examined.day.isoformat(), assessment=found.parts[-1],
        checkpoint=found.log.checkpoint(), needs=found.needs,
    )  # fmt: skip


def body(
    review: Review, written: bytes, form: Form, *, estate: str, as_of: str, assessment: int,
    checkpoint: str, needs: Sequence[Mapping[str, Any]],
) -> Doc:  # fmt: skip
    """The document: without fractions and with ASCII keys, so that any writer of JSON with sorted
    keys gives the same bytes. A place is an entry's index, and then names and numbers."""
    return {
        "as_of": as_of,
        "assessment": assessment,
        "checkpoint": checkpoint,
        "estate": estate,
        "figures": {
            figure.id: {
                "name": figure.name, "value": figure.value,
                "of": [[index, *steps(way)] for index, way in figure.of],
            }
            for figure in review.figures().values()
        },
        "file": f"sha256:{sha256(written).hexdigest()}",
        "form": form,
        "language": review.language,
        "witnesses": [{"need": need["need"], "of": need["of"]} for need in needs],
    }  # fmt: skip


def text_of(document: Mapping[str, Any]) -> str:
    """What the log's key signs."""
    return f"{HEADER}\n{rfc8785.dumps(dict(document)).decode()}\n"


def digest_of(document: Mapping[str, Any]) -> str:
    """The digest of a document in canonical JSON, as the log names it."""
    return f"sha256:{sha256(rfc8785.dumps(dict(document))).hexdigest()}"


def _write(target: Path, content: bytes) -> None:
    """Whole or not at all, and durable. Raises UsageError when it cannot be written there."""
    try:
        write_whole(target, content)
    except OSError as error:
        raise UsageError(
            f"cannot write the review to {target}: {error.strerror}",
            hint="name another file, or make room and let this user write there",
        ) from error
