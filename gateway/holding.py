"""Models of the configuration that hold values which another process has checked.

They stand in for pydantic's, see `gateway.models`, as far as a gateway that runs uses those: values
are attributes that never change, models are compared by them, and copied with other ones.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Self


class BaseModel:
    """A part of the configuration, as it was read."""

    model_fields: Mapping[str, object] = {}
    """The names are what it is asked for."""

    def __init_subclass__(cls) -> None:
        names = vars(cls).get("__annotations__", {})
        cls.model_fields = {**cls.model_fields, **dict.fromkeys(names)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Take what `pydantic.BaseModel.__getstate__` gives."""
        self.__dict__.update(state["__dict__"])

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} never changes")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.values()))

    def model_copy(self, *, update: Mapping[str, Any]) -> Self:
        """Give another with these values, which are right."""
        made = type(self)()
        made.__dict__.update(self.__dict__, **update)
        return made

    def model_dump(self) -> dict[str, Any]:
        """Give the values of a model that holds no other models."""
        return dict(self.__dict__)


class _Unused:
    """What says how a value is checked, or checks it: here nothing is."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __call__(self, decorated: Callable[..., Any]) -> Callable[..., Any]:
        return decorated


AfterValidator: Final = _Unused
BeforeValidator: Final = _Unused
ConfigDict: Final = _Unused
Field: Final = _Unused
PlainSerializer: Final = _Unused
PlainValidator: Final = _Unused
ValidationInfo: Final = _Unused
ValidatorFunctionWrapHandler: Final = _Unused
WrapValidator: Final = _Unused
field_validator: Final = _Unused
