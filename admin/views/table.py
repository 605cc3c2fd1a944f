"""The base of every list of rows: searched, narrowed, sorted and changed without surprises."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce
from operator import or_
from typing import Any, ClassVar

import peewee
from flask import abort, flash, request
from flask_admin.contrib.peewee import ModelView
from flask_admin.form import BaseForm

from admin.auth.rights import Right, actor, may
from admin.panel import Panel
from admin.views.narrow import Filter, Odd
from admin.views.page import Page
from database import current, db
from services import audit
from staff import StaffRole

READS = {"index_view", "details_view", "ajax_lookup"}
COUNTED = 10_000
"""Rows up to which a list says how many there are."""
LAST_PAGE = 50_000
LONGEST_SEARCH = 100


class Table(Page, ModelView):  # type: ignore[misc]
    """Rows of one table. A subclass names its columns; what it does not allow has no route."""

    write: ClassVar[StaffRole | None] = None
    """The least role that changes rows; None: nobody does, here."""
    narrowed_by: Sequence[Filter] = ()
    prefetched: Sequence[str] = ()
    """Foreign keys whose rows the list shows: fetched at once, and not row by row."""
    empty = "There is nothing here yet."
    looked_for = "Search"

    can_create = can_edit = can_delete = False
    can_set_page_size = True
    column_display_actions = False
    page_size = 20
    page_size_options = (20, 50, 100)
    simple_list_pager = True
    named_filter_urls = True
    list_template = "table/list.html"
    edit_template = create_template = "table/form.html"
    details_template = "table/details.html"

    def __init__(self, panel: Panel, model: type[peewee.Model], **options: Any) -> None:
        routes: list[Any] = vars(type(self))["_urls"]
        self._urls = [route for route in routes if self._is_offered(route[1])]
        super().__init__(panel, model, **options)
        self._refuse_endless_forms()

    def right_for(self, method: str) -> Right | None:
        """Lists are for readers, everything else for who may write."""
        role = self.read if method in READS else self.write
        return Right(role) if role else None

    def get_list(
        self,
        page: int | None,
        sort_column: str | None,
        sort_desc: bool | None,
        search: str | None,
        filters: Any,
        execute: bool = True,
        page_size: int | None = None,
    ) -> tuple[int | None, list[peewee.Model]]:
        """One page: its keys by an index, then its rows, then the rows that those point at."""
        del filters, execute
        size = page_size or self.page_size
        if search and (page or 0) * size >= COUNTED:
            return None, []  # to skip rows is to find them all first
        field, order = self._sorted_by(sort_column), self._order(sort_column, bool(sort_desc))
        key = field if field is not None and field.unique and not field.null else self.key
        keys = self.chosen(self.model.select(key), search)
        if field is not None and field.null:
            keys = keys.where(field.is_null(False))  # each database puts them at another end
        keys = keys.order_by(*order).limit(size).offset((page or 0) * size)
        rows = list(self.model.select().where(key.in_(keys)).order_by(*order))
        for name in self.prefetched:
            self._fetch(rows, name)
        return None, rows

    @property
    def key(self) -> peewee.Field[Any]:
        """The primary key."""
        return self.model._meta.primary_key  # type: ignore[no-any-return]

    def chosen(self, query: Any, search: str | None) -> Any:
        """A query narrowed to what the address asks for; 400 for what cannot be asked."""
        if self._search_supported and search and search.strip():
            query = query.where(self.match(search.strip()))
        for each in self.narrowed_by:
            if value := request.args.get(each.name, "").strip():
                try:
                    query = query.where(each.condition(value))
                except Odd as odd:
                    abort(400, str(odd))
        return query

    def match(self, term: str) -> Any:
        """The condition for a search: the term in any of the searched columns, as it stands."""
        return reduce(or_, (field.contains(term) for field in self._search_fields))

    def amount(self, search: str | None) -> str:
        """How many rows there are, in words; counting ends early, so that it is always quick."""
        query = self.chosen(self.model.select(peewee.SQL("1")), search)
        if query._where is None and (about := self._estimate()) > COUNTED:
            return f"about {about:,}"
        if not search:  # or PostgreSQL would begin with the table itself, and hope
            query = query.order_by(*self._order(None, False))
        found = query.limit(COUNTED + 1).alias("found")
        counted = self.model.select(peewee.fn.COUNT(peewee.SQL("1"))).from_(found).scalar()
        return f"{counted:,}" if counted <= COUNTED else f"more than {COUNTED:,}"

    def render(self, template: str, **given: Any) -> Any:
        """Give the list what it shows beside the rows."""
        if template == self.list_template:
            search = given.get("search")
            given.update(amount=self.amount(search), narrowed=self._narrowed())
            given["left_out"] = self._left_out(given.get("sort_column"))
            given["link"] = partial(self._link, given["extra_args"])
        return super().render(template, **given)

    def search_placeholder(self) -> str:
        """What the search box says."""
        return self.looked_for

    def get_empty_list_message(self) -> str:
        """What an empty list says."""
        if request.args.get("search") and request.args.get("page"):
            return f"A search shows its first {COUNTED:,} rows: write more of what you look for."
        return "Nothing fits: change the search or the filters." if request.args else self.empty

    def get_one(self, id: Any) -> peewee.Model | None:  # noqa: A002
        """A row by its key, or None, also for what cannot be a key."""
        try:
            with db.atomic():
                found: peewee.Model | None = self.model.get_or_none(
                    self.key == self.key.db_value(id)
                )
                return found
        except (ValueError, TypeError, OverflowError, peewee.DatabaseError):
            return None

    def create_model(self, form: BaseForm) -> Any:
        """Make a row, and note it."""
        row = self.model()
        form.populate_obj(row)
        return row if self._write("row.create", row, {}, force_insert=True) else False

    def update_model(self, form: BaseForm, model: peewee.Model) -> bool:
        """Change a row, and note what was changed."""
        before = dict(model.__data__)
        form.populate_obj(model)
        return self._write("row.edit", model, before)

    def delete_model(self, model: peewee.Model) -> bool:
        """Delete a row, and note it."""
        with db.atomic():
            audit.record(actor(), "row.delete", self._target(model))
            model.delete_instance()
        return True

    def is_action_allowed(self, name: str) -> bool:
        """Actions on several rows are for who may write."""
        return self.write is not None and may(self.write) and super().is_action_allowed(name)

    def _write(self, action: str, row: peewee.Model, before: dict[str, Any], **how: Any) -> bool:
        try:
            with db.atomic():
                row.save(**how)
                audit.record(actor(), action, self._target(row), after=_changed(before, row))
        except (peewee.IntegrityError, peewee.DataError):
            flash("The row was not saved: another one has this value, or it does not fit.", "error")
            return False
        return True

    def _target(self, row: peewee.Model) -> str:
        return f"{self.model._meta.table_name}:{getattr(row, self.key.name)}"

    def _order(self, column: str | None, descending: bool) -> list[Any]:
        """By the column, then by key; without one, the newest first. Pages never overlap."""
        field = self._sorted_by(column)
        if field is None:
            return [self.key.desc()]
        fields = [field] if field.unique or field is self.key else [field, self.key]
        return [each.desc() if descending else each.asc() for each in fields]

    def _sorted_by(self, column: str | None) -> peewee.Field[Any] | None:
        """The field that a column of the list is sorted by."""
        if column is None:
            return None
        field = self._sortable_columns[column]
        found: peewee.Field[Any] = getattr(self.model, field) if isinstance(field, str) else field
        return found

    def _fetch(self, rows: list[peewee.Model], name: str) -> None:
        """Fetch what the rows point at by one key, in one query."""
        field = self.model._meta.fields[name]
        wanted = {row.__data__.get(name) for row in rows} - {None}
        if not wanted:
            return
        found = field.rel_model.select().where(field.rel_field.in_(wanted))
        by_key = {getattr(each, field.rel_field.name): each for each in found}
        for row in rows:
            if (key := row.__data__.get(name)) is not None:
                row.__rel__[name] = by_key.get(key)

    def _estimate(self) -> int:
        """How many rows PostgreSQL believes the table has; SQLite does not know."""
        if current().local:
            return 0
        sql = "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)"
        return int(db.execute_sql(sql, (self.model._meta.table_name,)).fetchone()[0])

    def _narrowed(self) -> list[tuple[Filter, str]]:
        """The filters, each with what is chosen."""
        return [(each, request.args.get(each.name, "")) for each in self.narrowed_by]

    def _left_out(self, place: int | None) -> str:
        """The column that rows must have something in, to be sorted by it."""
        if place is None:
            return ""
        column, name = self._list_columns[place]
        field = self._sorted_by(column)
        return str(name) if field is not None and field.null else ""

    def _link(self, extra: dict[str, str], **changed: Any) -> str:
        """The address of this list with some arguments changed; None drops one."""
        kept = {"search": request.args.get("search"), **extra, **changed}
        return str(self.get_url(".index_view", **{k: v for k, v in kept.items() if v}))

    def _get_list_extra_args(self) -> Any:
        """The arguments of the address, made harmless."""
        given = super()._get_list_extra_args()
        given.page = min(max(given.page or 0, 0), LAST_PAGE)
        if not self._may_sort(given.sort):
            given.sort = None
        given.search = _readable(given.search)
        known = {each.name for each in self.narrowed_by}
        given.extra_args = {k: v for k, v in given.extra_args.items() if k in known}
        return given

    def _may_sort(self, place: int | None) -> bool:
        """Whether the list can be sorted by the column in this place."""
        if place is None or not 0 <= place < len(self._list_columns):
            return False
        return bool(self.is_sortable(self._list_columns[place][0]))

    def _is_offered(self, method: str) -> bool:
        """Whether a method of the library gets a route; what changes rows inline never does."""
        offered: dict[str, bool] = {
            "create_view": self.can_create,
            "edit_view": self.can_edit,
            "delete_view": self.can_delete,
            "details_view": self.can_view_details,
            "export": False,
            "ajax_update": False,
            "ajax_lookup": bool(self.form_ajax_refs),
            "action_view": self.write is not None and bool(self._actions_of()),
        }
        return offered.get(method, True)

    def _actions_of(self) -> list[str]:
        names = [name for name in dir(type(self)) if hasattr(getattr(type(self), name), "_action")]
        return [name for name in names if name != "action_delete" or self.can_delete]

    def _refuse_endless_forms(self) -> None:
        """A form must not list every row of another table."""
        if not (self.can_edit or self.can_create):
            return
        if self.form_columns is None:
            raise ValueError(f"{type(self).__name__} must name its form_columns.")
        for name in self.form_columns:
            field = self.model._meta.fields.get(name)
            if isinstance(field, peewee.ForeignKeyField) and name not in (
                self.form_ajax_refs or {}
            ):
                raise ValueError(f"{type(self).__name__}.{name} needs form_ajax_refs.")


def _changed(before: dict[str, Any], row: peewee.Model) -> dict[str, Any]:
    """Which columns were changed, and not to what.

    A row may hold what somebody wrote, and the audit log keeps what it holds when they are erased.
    """
    now = row.__data__
    names = [name for name in now if name not in before or before[name] != now[name]]
    return {"changed": sorted(names)}


def _readable(text: str | None) -> str | None:
    """What a database can be asked for; 400 for the rest."""
    if text is None:
        return None
    if "\0" in text or len(text) > LONGEST_SEARCH:
        abort(400, f"A search is at most {LONGEST_SEARCH} letters.")
    return text.encode("utf-8", "replace").decode()
