"""Which kind of store a URL means. Each kind is imported only when it is opened."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from domicile.errors import DeclarationError
from domicile.estate import model
from domicile.stores.base import Store

_CLASSES = {
    "postgresql": ("domicile.stores.postgres", "PostgresStore"),
    "postgres": ("domicile.stores.postgres", "PostgresStore"),
    "sqlite": ("domicile.stores.sqlite", "SqliteStore"),
    "file": ("domicile.stores.parquet", "ParquetStore"),
    "memory": ("domicile.stores.memory", "MemoryStore"),
}
"""URL scheme → module and class; the class is called with the declared store."""


def known() -> tuple[str, ...]:
    """The URL schemes that can be opened, sorted."""
    return tuple(sorted(_CLASSES))


def register(scheme: str, module: str, name: str) -> None:
    """Add a kind of store: `name` in `module` is called with the declared store.

    A store from outside passes `stores.conformance` first.
    """
    _CLASSES[scheme] = (module, name)


def open_store(store: model.Store) -> Store:
    """The declared store, opened lazily: nothing is connected before it is first used.

    Raises DeclarationError for a URL whose scheme is not known.
    """
    try:
        module, name = _CLASSES[store.kind.lower()]
    except KeyError:
        raise DeclarationError(
            f"store {store.name}: got a URL of kind {store.kind[:40]!r}, "
            f"expected one of {', '.join(known())}",
            hint="correct `url` of this store in estate.yaml",
        ) from None
    make: Callable[[model.Store], Store] = getattr(import_module(module), name)
    return make(store)
