"""What all parts of the configuration have in common."""

from gateway.models import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the configuration: it never changes, and knows all its keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        str_strip_whitespace=True,
        validate_default=True,
    )
