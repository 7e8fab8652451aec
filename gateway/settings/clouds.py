"""Zoom's clouds, which have nothing in common but their software."""

from typing import Annotated, Final, Literal, NamedTuple

from gateway.models import BeforeValidator
from gateway.settings.kinds import Kind


class Home(NamedTuple):
    """Where a cloud is."""

    api_url: str
    token_url: str


COMMERCIAL: Final = Home("https://api.zoom.us", "https://zoom.us/oauth/token")
HOMES: Final = {
    "commercial": COMMERCIAL,
    "government": Home("https://api.zoomgov.com", "https://zoomgov.com/oauth/token"),
}


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Cloud = Annotated[
    Literal["commercial", "government"],
    BeforeValidator(_lower),
    Kind("commercial or government"),
]


def at_home(key: str, url: str, cloud: str) -> str:
    """The URL in the cloud, where it is the default of the other one: that was nobody's choice."""
    usual: str = getattr(COMMERCIAL, key)
    return getattr(HOMES[cloud], key) if url == usual else url
