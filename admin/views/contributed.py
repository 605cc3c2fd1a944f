"""The tables that plugins show in the panel: one list for each `plugin.admin(…)`."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import peewee
from flask import abort
from markupsafe import Markup

from admin.panel import Panel
from admin.views.narrow import fitting
from admin.views.page import Page
from admin.views.shown import moment
from admin.views.table import Table
from bot.hooks import Page as Declared
from models import User
from staff import StaffRole

log = logging.getLogger(__name__)

TEXTS = (peewee.CharField, peewee.TextField)
NUMBERS = (peewee.IntegerField, peewee.FloatField, peewee.DecimalField)
EDITABLE = (*TEXTS, *NUMBERS, peewee.BooleanField, peewee.DateField)
"""Columns that a form can hold; big numbers and choices are among them by their bases."""
SHORT = 200
"""Letters of a value that a list shows."""


class Contributed(Table):
    """Rows of a plugin's table, to be read; hidden while the plugin is off."""

    read = StaffRole.VIEWER

    def __init__(self, panel: Panel, declared: Declared, place: str) -> None:
        fields = declared.model._meta.fields
        self.declared = declared
        self.empty = f"The plugin {declared.plugin} has no such rows yet."
        self.column_list = declared.columns
        self.column_labels = {name: _label(name) for name in declared.columns}
        self.column_sortable_list = [n for n in declared.columns if _is_indexed(fields[n])]
        texts = [name for name in declared.search if isinstance(fields[name], TEXTS)]
        self.column_searchable_list = texts or None
        self.narrowed_by = [
            each for name in declared.filters for each in fitting(fields[name], _label(name))
        ]
        self.column_formatters = dict.fromkeys(declared.columns, _cell)
        if self.can_edit:
            self.form_columns = _editable(declared)
        super().__init__(
            panel,
            declared.model,
            name=declared.title,
            category="Plugins' tables",
            endpoint=f"table_{place}",
            url=f"/tables/{place}",
        )

    def is_accessible(self) -> bool:
        """Whether the visitor may see it, and the plugin is on."""
        self.panel.refresh()
        return super().is_accessible() and self.panel.switches.on(self.declared.plugin)

    def inaccessible_callback(self, name: str, **_given: Any) -> Any:
        """What is answered while the plugin is off; who may not come in was stopped before."""
        del name
        abort(404, f"The plugin {self.declared.plugin} is off: its tables are hidden.")


class Editable(Contributed):
    """As above, and the shown columns may be changed."""

    write = StaffRole.OPERATOR
    can_edit = True


def tables(panel: Panel) -> Iterator[Page]:
    """A page for every declaration; one that cannot be made is logged, and the rest stand."""
    seen: Counter[str] = Counter()
    for plugin in panel.registry.plugins.values():
        for declared in plugin.pages:
            place = f"{plugin.name}_{declared.model.__name__.lower()}"
            seen[place] += 1
            place += f"_{seen[place]}" if seen[place] > 1 else ""
            try:
                yield _page(panel, declared, place)
            except Exception:  # a plugin's own classes are at work here
                log.exception("the table %s of %s is left out", declared.title, plugin.name)


def _page(panel: Panel, declared: Declared, place: str) -> Page:
    key = declared.model._meta.primary_key
    if not isinstance(key, peewee.Field) or isinstance(key, peewee.CompositeKey):
        raise TypeError(f"{declared.model.__name__} has no single primary key.")
    kind = Editable if declared.editable and _editable(declared) else Contributed
    return kind(panel, declared, place)


def _editable(declared: Declared) -> list[str]:
    """The shown columns that a form can change: no keys, and no rows of other tables."""
    fields = declared.model._meta.fields
    return [
        name
        for name in declared.columns
        if isinstance(fields[name], EDITABLE)
        and not isinstance(fields[name], peewee.ForeignKeyField | peewee.AutoField)
        and not fields[name].primary_key
    ]


def _is_indexed(column: peewee.Field[Any]) -> bool:
    """Whether a list can be sorted by a column without reading the whole table."""
    return bool(column.primary_key or column.index or column.unique)


def _label(name: str) -> str:
    return name.removesuffix("_id").replace("_", " ").capitalize() or name


def _cell(_view: Any, _context: Any, row: peewee.Model, name: str) -> Any:
    """A value as a list shows it; what it points at is not fetched for it."""
    value, column = row.__data__.get(name), row._meta.fields[name]
    if value is None:
        return ""
    if isinstance(column, peewee.ForeignKeyField) and column.rel_model is User:
        return Markup('<a href="/users/%s">%s</a>') % (value, value)
    if isinstance(column, peewee.DateTimeField):
        return moment(value)
    text = str(value)
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"
