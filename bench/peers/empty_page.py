"""A page of Flask that says one word: what any page costs at least."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    """Say it."""
    return "Hello."
