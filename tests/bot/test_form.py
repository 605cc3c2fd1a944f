"""The form: how parameters and files become the body of a request."""

from __future__ import annotations

import io
from enum import Enum
from urllib.parse import parse_qs

import pytest

from bot.form import File, Multipart, attach, encode, form
from settings import Secret


def test_values_are_encoded_as_telegram_wants() -> None:
    """Texts stay, numbers and truth are JSON, so are lists and objects; None is left out."""
    given = {"a": "x", "b": 5, "c": True, "d": {"k": ["é"]}, "e": None, "f": 1.5, "g": [1]}
    assert encode(given) == {
        "a": "x", "b": "5", "c": "true", "d": '{"k": ["é"]}', "f": "1.5", "g": "[1]",
    }  # fmt: skip


def test_a_text_of_a_derived_class_stays_a_text() -> None:
    """An enumeration of texts is sent as its text."""

    class Word(str):
        __slots__ = ()

    class Mode(str, Enum):  # noqa: UP042 - whose own text is another one than that of StrEnum
        HTML = "HTML"

    assert encode({"a": Word("x"), "parse_mode": Mode.HTML}) == {"a": "x", "parse_mode": "HTML"}


def test_what_json_lacks_is_refused() -> None:
    """A secret, or anything else that is no JSON, is not sent by mistake."""
    with pytest.raises(TypeError):
        encode({"token": Secret("1:x")})


def test_half_a_character_does_not_stop_a_send() -> None:
    """A lone surrogate, which JSON from Telegram may hold, is replaced."""
    assert parse_qs(form({"text": "a\ud800"}).decode())["text"] == ["a?"]


def test_a_body_tells_its_size() -> None:
    """The length that is announced is the length that is read."""
    body = Multipart({"a": "1"}, {"f": File("n", io.BytesIO(b"12345"), start=2)})
    data = b"".join(iter(lambda: body.read(3), b""))
    assert len(data) == body.size
    assert b"345" in data and b"12345" not in data


def test_what_may_be_a_file() -> None:
    """Names and types come from the tuple or the file; a pipe is read at once."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    ready = File("r", b"")
    files = attach({"a": ("n.txt", b"1", "text/plain"), "b": Pipe(b"2"), "c": ready})
    assert files["a"] == File("n.txt", b"1", "text/plain")
    assert files["b"] == File("b", b"2")
    assert files["c"] is ready


@pytest.mark.parametrize("wrong", ["a path", 5, io.StringIO("text")])
def test_what_may_not_be_a_file(wrong: object) -> None:
    """Anything else is refused with the field's name."""
    with pytest.raises(TypeError, match="the file 'photo' must be bytes"):
        attach({"photo": wrong})
