"""The base of every page: it states who may read and who may write, and refuses the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from flask_admin import BaseView

from admin.auth.rights import Right, may
from admin.panel import Panel
from staff import StaffRole


class Page(BaseView):  # type: ignore[misc]
    """A page of the panel. Each subclass says in `read` which role it is for."""

    read: ClassVar[StaffRole | None] = None
    """The least role that sees it; None states nothing, and then nobody does."""

    def __init__(self, panel: Panel, *arguments: Any, **options: Any) -> None:
        self.panel = panel
        super().__init__(*arguments, **options)

    def right_for(self, method: str) -> Right | None:
        """What a method needs that does not say so itself; see `admin.auth.rights.needs`."""
        del method
        return Right(self.read) if self.read else None

    def is_accessible(self) -> bool:
        """Whether the page is in the visitor's menu; the gate guards each route of its own."""
        return self.read is not None and may(self.read)

    def _run_view(self, fn: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call the view; the library would hide what a TypeError in it says."""
        return fn(self, *arguments, **options)
