"""Values and sections as the reference and the example file show them."""

from inspect import cleandoc
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def default(field: FieldInfo) -> Any:
    """A key's default as plain data: whole numbers without a point, lists as lists."""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return list(value) if isinstance(value, tuple) else value


def about(section: type[BaseModel]) -> str:
    """What a section is for, in Markdown."""
    return cleandoc(section.__doc__ or "")
