"""What can be different at Zoom's other hosts: uploads, recordings and where they are kept."""

from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.sim import reading


def _fault(default: Any, reader: reading.Reader) -> Any:
    return field(default=default, metadata={"read": reader})


@dataclass(frozen=True, slots=True)
class HostFaults:
    """The defaults are what Zoom does: uploads move on once, recordings are at a signed address."""

    page: bool = _fault(default=False, reader=reading.flag)
    """A web page, 200, where a recording is asked for."""
    storage: Literal["zoom", "elsewhere", "here"] = _fault(
        "zoom", reading.choice("zoom", "elsewhere", "here")
    )
    """Where recordings are: at `ssrweb.zoom.us`, at a stranger's, or where they are asked for."""
    storage_asks: bool = _fault(default=False, reader=reading.flag)
    """The signed address at Zoom's wants the token as well."""
    location: str | None = _fault(None, reading.line)
    """Where recordings redirect to instead."""
    upload_status: int = _fault(307, reading.status)
    """By which redirect uploads move on."""
    uploads_move: bool = _fault(default=True, reader=reading.flag)
