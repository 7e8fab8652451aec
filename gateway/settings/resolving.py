"""Where Zoom's hosts are, when not the machine's resolver is to say it."""

from collections.abc import Mapping
from typing import Annotated, Final

from gateway.core.place import Place, parse_place
from gateway.core.zoom_hosts import address, canonical, is_loopback
from gateway.models import AfterValidator
from gateway.settings.kinds import Kind

MOST: Final = 8
"""Name servers; the time for a connection is over before more could be asked."""


def _nameservers(texts: tuple[str, ...]) -> tuple[str, ...]:
    if len(texts) > MOST:
        raise ValueError(f"must be at most {MOST}")
    return tuple(str(_place(f"item {number}", text)) for number, text in enumerate(texts, 1))


def _addresses(given: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, (host, text) in enumerate(given.items(), 1):
        name = canonical(host)
        if name is None or address(name) is not None:
            raise ValueError(f"name {number} is none of a host: give one such as api.zoom.us")
        if is_loopback(name):
            raise ValueError(f"name {number} is this machine's own, and stands for nothing else")
        if name in found:
            raise ValueError(f"name {number} is there twice")
        found[name] = str(_place(f"the value of name {number}", text))
    return found


def _place(what: str, text: str) -> Place:
    try:
        return parse_place(text)
    except ValueError as error:
        raise ValueError(f"{what} {error}") from None


def places(addresses: Mapping[str, str]) -> dict[str, Place]:
    """What stands for hosts, by their names."""
    return {host: parse_place(text) for host, text in addresses.items()}


NameServers = Annotated[
    tuple[str, ...],
    AfterValidator(_nameservers),
    Kind("a list of addresses, such as [192.0.2.53, 192.0.2.54:5353]"),
]
Addresses = Annotated[
    dict[str, str],
    AfterValidator(_addresses),
    Kind("a mapping of hosts to addresses, such as {api.zoom.us: 192.0.2.7}"),
]
