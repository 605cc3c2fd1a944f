"""Where gunicorn finds the panel."""

from __future__ import annotations

import os

from admin.app import create_app
from admin.folder import VARIABLE
from admin.metering import PanelMetrics
from admin.opening import open_panel
from settings import load

metrics = PanelMetrics() if VARIABLE in os.environ else None
app = create_app(open_panel(load()), metrics=metrics)
