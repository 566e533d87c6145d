"""PostgreSQL's catalogue as our schema: set queries over pg_catalog.

No row of a table is read, but for whether a column of type oid names large objects, where there are
any in the database.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from domicile.stores.schema import Check, Column, ForeignKey, Key, Kind, OnDelete, Schema, Table

Query = Callable[[str, str], list[Any]]

FIRST_USER_OID = 16384
"""Objects below it are the same in every cluster (access/transam.h, FirstNormalObjectId)."""

_KINDS: dict[str, Kind] = {
    "int2": "int", "int4": "int", "int8": "int", "oid": "int",
    "float4": "float", "float8": "float", "numeric": "numeric", "money": "other",
    "bool": "bool", "text": "text", "varchar": "text", "bpchar": "text", "name": "text",
    "citext": "text", "char": "text", "uuid": "uuid", "date": "date",
    "time": "time", "timetz": "time", "timestamp": "timestamp", "timestamptz": "timestamptz",
    "interval": "interval", "bytea": "bytes", "json": "json", "jsonb": "json",
    "inet": "inet", "cidr": "inet", "tsvector": "tsvector",
}  # fmt: skip

_ON_DELETE: dict[str, OnDelete] = {
    "a": "no action", "r": "restrict", "c": "cascade", "n": "set null", "d": "set default",
}  # fmt: skip

_TABLES = """
SELECT c.oid, c.relname, c.relkind::text, greatest(c.reltuples, 0)::bigint,
       coalesce((SELECT sum(pg_total_relation_size(p.relid)) FROM pg_partition_tree(c.oid) p),
                pg_total_relation_size(c.oid))::bigint
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND c.relpersistence <> 't'
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                    AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY c.relname"""

_PARTITIONS = """
SELECT root.oid, part.oid, part.relname, greatest(part.reltuples, 0)::bigint
  FROM pg_class root JOIN pg_namespace n ON n.oid = root.relnamespace,
       LATERAL pg_partition_tree(root.oid) tree JOIN pg_class part ON part.oid = tree.relid
 WHERE n.nspname = $1 AND root.relkind = 'p' AND NOT root.relispartition AND tree.level > 0
 ORDER BY part.relname"""

_COLUMNS = """
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), b.typname, b.typtype::text,
       b.typcategory::text, NOT (a.attnotnull OR d0.strict), a.attgenerated <> '',
       a.attidentity <> '', coalesce(pg_get_expr(d.adbin, d.adrelid), ''),
       (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
          FROM pg_enum e WHERE e.enumtypid = b.oid),
       CASE WHEN b.typname IN ('varchar', 'bpchar') AND
                 greatest(a.atttypmod, d0.size) > 4
            THEN greatest(a.atttypmod, d0.size) - 4 END,
       CASE WHEN b.typtype = 'b' AND b.typelem <> 0 AND b.typcategory = 'A' THEN b.typelem::bigint
            WHEN b.typtype IN ('r', 'm') THEN b.oid::bigint
            WHEN b.typtype = 'c' THEN 2147483647
            WHEN b.typname LIKE 'reg%' OR b.typsend = 0 OR b.typname = 'money' THEN 2147483647
            ELSE 0 END
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN LATERAL (
    WITH RECURSIVE up(oid, kind, base, size, strict) AS (
      SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, t.typnotnull
      UNION ALL
      SELECT n.oid, n.typtype, n.typbasetype, n.typtypmod, n.typnotnull
        FROM up JOIN pg_type n ON n.oid = up.base WHERE up.kind = 'd')
    SELECT max(oid) FILTER (WHERE kind <> 'd') AS base, max(size) AS size,
           bool_or(strict) AS strict FROM up) d0 ON true
  JOIN pg_type b ON b.oid = d0.base
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum"""

_KEYS = """
SELECT i.indrelid, x.relname, i.indisprimary,
       (SELECT array_agg(a.attname::text ORDER BY k.n)
          FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, n)
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
         WHERE k.n <= i.indnkeyatts)
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
   AND i.indisvalid AND NOT c.relispartition
 ORDER BY i.indrelid, NOT i.indisprimary, x.relname"""

_FOREIGN_KEYS = """
SELECT k.conrelid, k.conname, k.confrelid,
       (SELECT array_agg(a.attname::text ORDER BY u.n)
          FROM unnest(k.conkey) WITH ORDINALITY u(attnum, n)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),
       (SELECT array_agg(a.attname::text ORDER BY u.n)
          FROM unnest(k.confkey) WITH ORDINALITY u(attnum, n)
          JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum),
       k.confdeltype::text, k.condeferrable
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND k.contype = 'f' AND k.conparentid = 0
 ORDER BY k.conrelid, k.conname"""

_CHECKS = """
SELECT k.conrelid, k.conname, pg_get_expr(k.conbin, k.conrelid)
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND k.contype = 'c' ORDER BY k.conrelid, k.conname"""

_INHERITED = """
SELECT DISTINCT i.inhparent FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
  JOIN pg_namespace n ON n.oid = p.relnamespace
 WHERE n.nspname = $1 AND p.relkind = 'r'"""

_BLOCKS = """
SELECT t.tgrelid, 'trigger ' || t.tgname || ' fires even where triggers are off: '
       || 'ALTER TABLE … ENABLE TRIGGER would let it be quiet'
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND NOT t.tgisinternal AND t.tgenabled IN ('A', 'R')
UNION ALL
SELECT r.ev_class, 'rule ' || r.rulename || ' applies even where rules are off'
  FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND r.ev_enabled IN ('A', 'R')
UNION ALL
SELECT k.confrelid, 'table ' || cn.nspname || '.' || child.relname
       || ' of another schema refers to it by ' || k.conname
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.confrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class child ON child.oid = k.conrelid
  JOIN pg_namespace cn ON cn.oid = child.relnamespace
 WHERE n.nspname = $1 AND k.contype = 'f' AND k.conparentid = 0 AND cn.oid <> n.oid
UNION ALL
SELECT k.conrelid, 'it refers to table ' || pn.nspname || '.' || parent.relname
       || ' of another schema by ' || k.conname
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class parent ON parent.oid = k.confrelid
  JOIN pg_namespace pn ON pn.oid = parent.relnamespace
 WHERE n.nspname = $1 AND k.contype = 'f' AND k.conparentid = 0 AND pn.oid <> n.oid
 ORDER BY 1, 2"""

_TRIGGERS = """
SELECT t.tgrelid, t.tgname, false FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND NOT t.tgisinternal AND t.tgenabled <> 'D'
UNION ALL
SELECT r.ev_class, r.rulename, true FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND r.ev_enabled <> 'D'
 ORDER BY 1, 2"""


_LARGE = "SELECT EXISTS (SELECT FROM pg_largeobject_metadata) AND $1::text IS NOT NULL"

_LARGE_OF = """
SELECT EXISTS (SELECT FROM {table} t JOIN pg_largeobject_metadata m ON m.oid = t.{column}::oid)
   AND $1::text IS NOT NULL"""


@dataclass
class Reflected:
    """The schema, and what only PostgreSQL's own code needs beside it."""

    schema: Schema
    text_copy: set[str] = field(default_factory=set)
    """Tables whose binary COPY names type numbers that differ from cluster to cluster."""
    inherited: set[str] = field(default_factory=set)
    """Tables with INHERITS children, whose rows a plain query would return too."""


SCHEMAS = """
SELECT nspname FROM pg_namespace n WHERE $1::text IS NOT NULL AND EXISTS (
  SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'))
AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%' ORDER BY 1
"""
"""Schemas with tables that are neither the server's own nor an extension's."""


def reflect(query: Query, schema: str) -> Reflected:
    """Read the catalogue through `query(sql, schema)` and build the schema."""
    names: dict[int, str] = {}
    kinds: dict[str, tuple[int, int]] = {}
    for oid, name, _, estimate, size in query(_TABLES, schema):
        names[oid] = name
        kinds[name] = (estimate, size)
    parts: dict[str, list[str]] = defaultdict(list)
    root_of = dict(names)
    for root, part, part_name, estimate in query(_PARTITIONS, schema):
        parts[names[root]].append(part_name)
        root_of[part] = names[root]
        if estimate > 0 and kinds[names[root]][0] == 0:
            kinds[names[root]] = (estimate, kinds[names[root]][1])
    columns: dict[str, list[Column]] = defaultdict(list)
    text_copy: set[str] = set()
    numbers: list[tuple[int, str]] = []  # columns of type oid
    for oid, name, written, base, typtype, category, *rest in query(_COLUMNS, schema):
        if oid not in names:
            continue
        nullable, generated, identity, default, labels, length, element = rest
        kind = _kind(base, typtype, category)
        columns[names[oid]].append(
            Column(
                name, written, kind, nullable, generated, identity, default,
                tuple(labels or ()), length,
            )
        )  # fmt: skip
        if element >= FIRST_USER_OID:
            text_copy.add(names[oid])
        if base == "oid":
            numbers.append((oid, name))
    keys: dict[str, list[Key]] = defaultdict(list)
    for oid, name, primary, cols in query(_KEYS, schema):
        if oid in names:
            keys[names[oid]].append(Key(tuple(cols), primary, name))
    checks: dict[str, list[Check]] = defaultdict(list)
    for oid, name, expression in query(_CHECKS, schema):
        if oid in names:
            checks[names[oid]].append(Check(name, expression))
    triggers: dict[str, list[str]] = defaultdict(list)
    rules: dict[str, list[str]] = defaultdict(list)
    for oid, name, is_rule in query(_TRIGGERS, schema):
        if oid in root_of:
            into = rules if is_rule else triggers
            if name not in into[root_of[oid]]:
                into[root_of[oid]].append(name)
    blocks: dict[str, list[str]] = defaultdict(list)
    for oid, said in query(_BLOCKS, schema):
        if oid in root_of:
            blocks[root_of[oid]].append(said)
    for oid, column in _large(query, schema, names, numbers):
        blocks[names[oid]].append(
            f"column {column} refers to large objects, which are not carried with rows: "
            "keep such files in bytea, or in a folder declared under `objects`"
        )
    inherited = {names[r[0]] for r in query(_INHERITED, schema) if r[0] in names}
    foreign = _foreign_keys(query(_FOREIGN_KEYS, schema), names, root_of, parts)
    tables = {
        name: Table(
            name, tuple(columns[name]), tuple(keys[name]), tuple(foreign[name]),
            tuple(checks[name]), tuple(parts[name]), tuple(triggers[name]), tuple(rules[name]),
            tuple(blocks[name]),
            kinds[name][0], kinds[name][1],
        )
        for name in names.values()
    }  # fmt: skip
    return Reflected(Schema(tables, digest_of(tables)), text_copy, inherited)


def _large(
    query: Query, schema: str, names: dict[int, str], numbers: list[tuple[int, str]]
) -> list[tuple[int, str]]:
    """Of columns of type oid, those that refer to large objects; rows are read only where such
    a column and any large object are."""
    if not numbers or not query(_LARGE, schema)[0][0]:
        return []

    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    found: list[tuple[int, str]] = []
    for oid, column in numbers:
        table = f"{quoted(schema)}.{quoted(names[oid])}"
        if query(_LARGE_OF.format(table=table, column=quoted(column)), schema)[0][0]:
            found.append((oid, column))
    return found


def digest_of(tables: dict[str, Table]) -> str:
    """sha256 over all that a plan depends on; sizes are left out."""
    plain = [asdict(replace(tables[n], estimate=0, bytes=0)) for n in sorted(tables)]
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _kind(base: str, typtype: str, category: str) -> Kind:
    if typtype == "e":
        return "enum"
    if typtype in ("r", "m"):
        return "range"
    if category == "A":
        return "array"
    return _KINDS.get(base, "other")


def _foreign_keys(
    rows: list[Any], names: dict[int, str], root_of: dict[int, str], parts: dict[str, list[str]]
) -> dict[str, list[ForeignKey]]:
    """Keys per root table. One that only some partitions declare is there, not enforced."""
    found: dict[str, list[ForeignKey]] = defaultdict(list)
    seen: dict[tuple[str, tuple[str, ...], str, tuple[str, ...]], set[int]] = defaultdict(set)
    for oid, name, parent, cols, parent_cols, on_delete, deferrable in rows:
        if oid not in root_of or parent not in root_of:
            continue
        child = root_of[oid]
        what = (child, tuple(cols), root_of[parent], tuple(parent_cols))
        seen[what].add(oid)
        whole = oid in names  # declared on the table itself, not on a partition
        if whole or len(seen[what]) == 1:
            found[child] = [
                k for k in found[child] if (child, k.columns, k.parent, k.parent_columns) != what
            ]
            found[child].append(
                ForeignKey(
                    what[1], what[2], what[3], name, _ON_DELETE[on_delete], deferrable, whole
                )
            )
    return found
