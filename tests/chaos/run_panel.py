"""The panel with a guarantee taken out, for a control: `tests.chaos.run_panel:app`."""

from __future__ import annotations

import admin.app

vars(admin.app)["is_outage"] = lambda _error: False  # a lost database is taken for a mistake

from admin.wsgi import app  # noqa: E402

__all__ = ["app"]
