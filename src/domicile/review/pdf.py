"""A review as PDF/UA, set by typst with the fonts that it brings: the same bytes everywhere."""

from __future__ import annotations

import json
from importlib import resources

from domicile.errors import UsageError
from domicile.review.model import Review
from domicile.review.view import view

FONT = "Libertinus Serif"
"""Of those that the wheel embeds; drawings name theirs, for the page gives them another."""


def need_typst() -> None:
    """Raises UsageError when the extra is not installed: before anything is read."""
    try:
        import typst  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "a review as PDF needs typst, which is not installed",
            hint="run: pip install 'domicile[pdf]'; or write a FILE that ends in .html",
        ) from error


def to_pdf(review: Review, author: str) -> bytes:
    """The PDF. Raises UsageError when typst is not installed."""
    need_typst()
    import typst

    document = {**view(review), "author": author}
    for section in document["sections"]:
        for block in section["blocks"]:
            if block["t"] == "plot":
                block["svg"] = block["svg"].replace("<svg ", f'<svg font-family="{FONT}" ', 1)
    source = resources.files("domicile.review").joinpath("review.typ").read_bytes()
    made = typst.compile(
        source, format="pdf", ignore_system_fonts=True, pdf_standards=["ua-1"],
        sys_inputs={"review": json.dumps(document, ensure_ascii=False)},
    )  # fmt: skip
    assert isinstance(made, bytes)  # one document, not pages
    return made
