"""What models of the configuration are made of: pydantic's, where a configuration is read.

Where one is only used, which another process has read (`gateway.cli.apart`), stand-ins take their
place: they hold what was checked, and check nothing. pydantic would be half of what a gateway
keeps in memory, for a moment of its start.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = [
    "AfterValidator",
    "BaseModel",
    "BeforeValidator",
    "ConfigDict",
    "Field",
    "PlainSerializer",
    "PlainValidator",
    "ValidationInfo",
    "ValidatorFunctionWrapHandler",
    "WrapValidator",
    "check_too",
    "field_validator",
    "hold_only",
]

if TYPE_CHECKING:
    from pydantic import (
        AfterValidator,
        BaseModel,
        BeforeValidator,
        ConfigDict,
        Field,
        PlainSerializer,
        PlainValidator,
        ValidationInfo,
        ValidatorFunctionWrapHandler,
        WrapValidator,
        field_validator,
    )
else:
    _source = "pydantic"

    def __getattr__(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(import_module(_source), name)


def hold_only() -> None:
    """From now on, models are stand-ins. Call it before anything imports `gateway.settings`."""
    globals()["_source"] = "gateway.holding"


def check_too() -> None:
    """From now on, they are pydantic's; what was imported before stays as it is."""
    globals()["_source"] = "pydantic"
