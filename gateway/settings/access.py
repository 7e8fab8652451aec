"""Who may call: under which names, from which web pages."""

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from gateway.models import AfterValidator, Field
from gateway.settings.access_rules import Action, KeyHeader, KeySettings, RuleSettings
from gateway.settings.kinds import Kind, is_host
from gateway.settings.section import Section

_WILDCARD: Final = "*."


def _host_names(names: tuple[str, ...]) -> tuple[str, ...]:
    for place, name in enumerate(names, 1):
        if not is_host(name.removeprefix(_WILDCARD)) or "*" in name.removeprefix(_WILDCARD):
            raise ValueError(
                f"item {place} is no host name: give names such as zoom.example.com or"
                " *.example.com, without a scheme, a port or a path"
            )
    return tuple(name.lower().removesuffix(".") for name in names)


_ORIGIN: Final = re.compile(r"https?://[^/?#@\s]+")


def _origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    for place, origin in enumerate(origins, 1):
        if not _ORIGIN.fullmatch(origin) or not is_host(urlsplit(origin).hostname or ""):
            raise ValueError(
                f"item {place} is no origin: give scheme, host and port as browsers send them,"
                " such as https://app.example.com or http://localhost:3000"
            )
    return tuple(origin.lower() for origin in origins)


HostNames = Annotated[
    tuple[str, ...],
    AfterValidator(_host_names),
    Kind("a list of host names, such as [zoom.example.com]"),
]
Origins = Annotated[
    tuple[str, ...],
    AfterValidator(_origins),
    Kind("a list of origins, such as [http://localhost:3000]"),
]


class AccessSettings(Section):
    """Who may call. It needs nothing for a laptop or a cluster's own names."""

    hosts: HostNames = Field(
        default=(),
        description="Names under which callers, and those who read the admin port, may reach the"
        " gateway: what `Host` may say. `*.example.com` stands for all names below that one. IP"
        " addresses, single labels and names that no public DNS can give away (`localhost`, and"
        " all that ends in `.localhost`, `.internal`, `.test`, `.svc` or `.cluster.local`) always"
        " may. A browser can be made to call any other name (DNS rebinding).",
    )
    origins: Origins = Field(
        default=(),
        description="Origins of web pages whose calls are taken. Of all others, a call that a"
        " browser made is refused. No answer has CORS headers in any case, so pages read nothing:"
        " this is for development servers that pass on what a browser sent.",
    )
    default: Action = Field(
        default="allow",
        description="What becomes of a call that no rule fits. Without rules, `deny` refuses all.",
    )
    key_header: KeyHeader = Field(
        default="X-Zoom-Gateway-Key",
        description="The header field in which callers show a key; `Authorization`: as `Bearer"
        " KEY`. Neither it nor `X-Zoom-Gateway-Key` ever goes to Zoom.",
    )
    keys: KeySettings = Field(
        default_factory=dict, description="Keys that callers may show, by name."
    )
    rules: RuleSettings = Field(
        default=(), description="Who may call what; the first rule that fits decides."
    )
