"""Fields: values that the API takes and gives, each as strict as the document says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from bot.control import is_storable

BIG = 2**63 - 1
NO_NUL = r"^[^\u0000]*$"
"""No database keeps a NUL in a text."""
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_WHOLE = re.compile(r"-?[0-9]{1,19}")


class Asked(Schema):
    """What is sent to the API: a field that it does not know is refused."""

    class Meta:
        unknown = RAISE


class Told(Schema):
    """What the API answers: all fields are there, always."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        del field_name
        field_obj.required = True


class Whole(fields.Integer):
    """A whole number of 64 bits. In an address it is digits, in a body a number."""

    def __init__(self, low: int = -BIG - 1, high: int = BIG, *, digits: bool = False, **more: Any):
        self.digits = digits
        super().__init__(validate=validate.Range(low, high), **more)

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> int:
        del attr, data, more
        if self.digits and isinstance(value, str) and _WHOLE.fullmatch(value):
            return int(value)
        if not self.digits and type(value) is int:
            return value
        if not self.digits and type(value) is float and value.is_integer():
            return int(value)
        raise ValidationError("Not a whole number.")


class Flag(fields.Boolean):
    """True or false, and no word for it."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> bool:
        del attr, data, more
        if isinstance(value, bool):
            return value
        raise self.make_error("invalid", input=value)


class Text(fields.String):
    """A text that every database can hold."""

    def __init__(self, longest: int, *, shortest: int = 0, pattern: str = NO_NUL, **more: Any):
        checks = [validate.Length(shortest, longest), validate.Regexp(pattern)]
        self.whole = re.compile(pattern)
        super().__init__(validate=checks, **more)

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> Any:
        text = super()._deserialize(value, attr, data, **more)
        if isinstance(text, str) and not is_storable(text):
            raise ValidationError("Not a text: it holds half of a letter.")
        if isinstance(text, str) and not self.whole.fullmatch(text):  # "$" lets a line end pass
            raise ValidationError("Does not match the pattern.")
        return text


class Word(fields.String):
    """One of a closed set of words."""

    def __init__(self, words: type[StrEnum] | list[str], **more: Any) -> None:
        choices = [str(word) for word in words]
        super().__init__(validate=validate.OneOf(choices), **more)


class Moment(fields.DateTime):
    """A time with its offset, as RFC 3339 writes it; the tables keep UTC without one."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> datetime:
        del attr, data, more
        if not isinstance(value, str) or not _MOMENT.fullmatch(value):
            raise self.make_error("invalid", input=value, obj_type="time")
        try:
            given = datetime.fromisoformat(value.upper())
        except ValueError:
            raise self.make_error("invalid", input=value, obj_type="time") from None
        try:
            return given.astimezone(UTC).replace(tzinfo=None)
        except OverflowError:  # in UTC it is before the first year or after the last
            return given.replace(tzinfo=None)

    def _serialize(self, value: Any, attr: Any, obj: Any, **more: Any) -> str | None:
        del attr, obj, more
        return None if value is None else f"{value.isoformat()}Z"
