"""The overview: the first page, the bot in numbers."""

from __future__ import annotations

from typing import Any

from flask_admin import expose
from flask_admin.base import AdminIndexView

from admin.panel import Panel
from admin.views.page import Page
from staff import StaffRole


class Overview(Page, AdminIndexView):  # type: ignore[misc]
    """How the bot is doing."""

    read = StaffRole.VIEWER

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel, name="Overview", url="/", template="overview.html")

    @expose("/")
    def index(self) -> Any:
        return self.render("overview.html")
