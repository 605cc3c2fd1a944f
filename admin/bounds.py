"""The bounds of a request: what is a method, and how long a body may be."""

from __future__ import annotations

METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS".split())
"""What is a method here; any other word is somebody's invention, and is named nowhere."""
BODY = 2**20
"""Bytes that a request may bring."""
