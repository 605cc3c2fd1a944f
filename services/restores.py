"""Restores: the rows of an archive put into an empty database, all of them or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, BinaryIO

import peewee

from database import Database, db
from services.archives import Unfit, read_rows

BATCH = 500
in_order = peewee.sort_models  # type: ignore[attr-defined]  # parents before children


def check(
    contents: dict[str, Any], models: Sequence[type[peewee.Model]], migrations: Sequence[str]
) -> None:
    """Raise Unfit when an archive is of another release than the code, or not for these plugins."""
    theirs, ours = set(contents["migrations"]), set(migrations)
    if theirs != ours:
        odd = ", ".join(sorted(theirs ^ ours)[:3])
        raise Unfit(
            f"The backup is of other tables ({odd}): restore it with the release"
            f" {contents['version']} and the plugins that it was made with, then upgrade."
        )
    known = {model._meta.table_name for model in models}
    if strange := sorted(set(contents["tables"]) - known):
        raise Unfit(f"Nothing here has the table {strange[0]}: install its plugin first.")


def occupied(models: Sequence[type[peewee.Model]]) -> str | None:
    """A table that holds rows already, or None."""
    for model in models:
        if model.select(peewee.SQL("1")).limit(1).scalar() is not None:
            return str(model._meta.table_name)
    return None


def restore(
    database: Database,
    file: BinaryIO,
    contents: dict[str, Any],
    models: Sequence[type[peewee.Model]],
) -> dict[str, int]:
    """Put the rows in, in one transaction; give how many of each table. Raises Unfit.

    Rows that point at rows of their own table get that in a second pass.
    """
    wanted = [m for m in in_order(list(models)) if m._meta.table_name in contents["tables"]]
    put = {}
    with database.atomic():
        if table := occupied(wanted):
            raise Unfit(f"The table {table} holds rows: restore into an empty database.")
        for model in wanted:
            put[model._meta.table_name] = _put(model, file)
            _go_on_counting(model)
        if put != contents["tables"]:
            raise Unfit("Some rows of the backup could not be put in: nothing was changed.")
    return put


def _put(model: type[peewee.Model], file: BinaryIO) -> int:
    own: list[peewee.ForeignKeyField] = [
        field for field in model._meta.refs if field.rel_model is model
    ]
    count = 0
    for batch in _batches(read_rows(file, model)):
        bare = [{**row, **{field.column_name: None for field in own}} for row in batch]
        fields = model._meta.columns
        model.insert_many([{fields[k]: v for k, v in row.items()} for row in bare]).execute()
        count += len(batch)
    for field in own:
        _point(model, field, file)
    return count


def _point(model: type[peewee.Model], field: peewee.ForeignKeyField, file: BinaryIO) -> None:
    key: Any = model._meta.primary_key
    sql = (
        f'UPDATE "{model._meta.table_name}" SET "{field.column_name}" = {db.param}'
        f' WHERE "{key.column_name}" = {db.param}'
    )
    for row in read_rows(file, model):
        if (there := row[field.column_name]) is not None:
            db.execute_sql(sql, (there, row[key.column_name]))


def _batches(found: Iterable[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    rows = iter(found)
    while batch := list(islice(rows, BATCH)):
        yield batch


def _go_on_counting(model: type[peewee.Model]) -> None:
    """Let PostgreSQL number new rows after the ones that came with their numbers."""
    key = model._meta.primary_key
    if db.param == "?" or not isinstance(key, peewee.AutoField):
        return
    table, column = model._meta.table_name, key.column_name
    db.execute_sql(
        f"SELECT setval(pg_get_serial_sequence('\"{table}\"', '{column}'), MAX(\"{column}\"))"
        f' FROM "{table}" HAVING MAX("{column}") IS NOT NULL'
    )
