"""How gunicorn serves the panel: `gunicorn -c python:admin.gunicorn admin.wsgi:app`."""

from __future__ import annotations

from settings import load

_settings = load()

bind = f"{_settings.admin_host}:{_settings.admin_port}"
workers = _settings.admin_workers
threads = _settings.admin_threads
worker_class = "gthread"
timeout = 60
graceful_timeout = 20
keepalive = 5
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190
forwarded_allow_ips = ""
accesslog = None
control_socket_disable = True
