"""Zoom's hosts, whom they are believed, and the proxy on the way to them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from gateway.core import egress
from gateway.core.egress import EgressProxy
from gateway.core.zoom_hosts import BELOW, address, canonical, may_have_token
from gateway.models import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)
from gateway.settings import kinds
from gateway.settings.clouds import COMMERCIAL, HOMES, Cloud, at_home
from gateway.settings.kinds import Kind
from gateway.settings.resolving import Addresses, NameServers
from gateway.settings.section import Section
from gateway.settings.store_urls import SecretUrl
from gateway.settings.tls_files import CaFile
from gateway.settings.urls import AUTO, ApiUrl, TokenUrl


def _trusted_hosts(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_trusted_host(place, name) for place, name in enumerate(names, 1))


def _trusted_host(place: int, text: str) -> str:
    below = text.startswith(BELOW)
    name = canonical(text.removeprefix(BELOW))
    if name is None or (below and address(name) is not None):
        raise ValueError(
            f"item {place} is no host: give names such as zoom.example.com, or"
            " *.zoom.example.com for all below that, without a scheme, a port or a path"
        )
    # A whole top-level domain is everybody's.
    if below and "." not in name:
        raise ValueError(f"item {place} is too wide: give a domain, such as *.zoom.example.com")
    return f"{BELOW}{name}" if below else name


def _choice(value: object) -> object:
    return value.lower() if isinstance(value, str) and value.lower() in _WORDS else value


_WORDS: Final = frozenset({egress.AUTO, egress.OFF})


def _egress_proxy(text: str) -> str:
    if text in _WORDS:
        return text
    if "://" not in text:  # a slip of one of the words would be taken for a host's name
        raise ValueError("must be auto, off, or a URL such as http://proxy.example:3128")
    return SecretUrl.hide(text) if egress.parse_proxy(text).login else text


def _unless_hidden(value: object, check: ValidatorFunctionWrapHandler) -> object:
    # Checked already; the library would make plain text of it, and lose the password.
    return value if isinstance(value, SecretUrl) else check(value)


TrustedHosts = Annotated[
    tuple[str, ...],
    AfterValidator(_trusted_hosts),
    Kind("a list of host names, such as [zoom.example.com]"),
]
EgressChoice = Annotated[
    str,
    AfterValidator(_egress_proxy),
    BeforeValidator(_choice),
    WrapValidator(_unless_hidden),
    Kind("auto, off, or a URL such as http://proxy.example:3128"),
]


class UpstreamSettings(Section):
    """Zoom, the way there, and how long to wait for it."""

    trusted_hosts: TrustedHosts = Field(
        default=(),
        description="Hosts that get the token and the secrets beside Zoom's own (`zoom.us`,"
        " `zoomgov.com`, all below them) and this machine: for a front of your own before Zoom."
        " `*.example.com` stands for all names below that one.",
    )
    cloud: Cloud = Field(
        default="commercial",
        description="`government`: Zoom for Government. Then `https://api.zoomgov.com` and"
        " `https://zoomgov.com/oauth/token` are the defaults of `api_url` and `token_url`.",
    )
    api_url: ApiUrl = Field(
        default=COMMERCIAL.api_url,
        description="Where calls go: scheme and host, without `/v2`. `auto`: where the token"
        " endpoint says that the account's API is (`api_url` in its answer), for each account by"
        " itself, and the default until there is a token.",
    )
    token_url: TokenUrl = Field(default=COMMERCIAL.token_url, description="Where tokens come from.")
    ca_file: CaFile | None = Field(
        default=None,
        description="A file with the CA certificates (PEM) that sign those of these hosts, and of"
        " an egress proxy with `https://`, instead of the system's CAs. A changed file counts from"
        " the next connection on.",
    )
    egress_proxy: EgressChoice = Field(
        default=egress.AUTO,
        description="The HTTP proxy on the way to Zoom: its URL (`http://` or `https://`, with"
        " `user:password@` if it asks for them); `auto`: the one that `HTTPS_PROXY` or `ALL_PROXY`"
        " names, but for the hosts in `NO_PROXY`; `off`: none. What stays on this machine goes by"
        " none.",
    )
    nameservers: NameServers = Field(
        default=(),
        description="Name servers (`ADDRESS` or `ADDRESS:PORT`) that are asked for the addresses of"
        " Zoom's hosts instead of the machine's resolver and its hosts file: for where those send"
        " callers with hard-coded hosts to the gateway. Names that are not Zoom's, and an egress"
        " proxy's, stay the machine's to resolve.",
    )
    addresses: Addresses = Field(
        default_factory=dict,
        description="The address (`ADDRESS` or `ADDRESS:PORT`) that connections to a host are made"
        " to, instead of asking any name server: `{api.zoom.us: 192.0.2.7}`. TLS still checks the"
        " host's name. Behind an egress proxy it is the proxy that resolves.",
    )
    connect_timeout: kinds.Seconds = Field(
        default=3.0,
        description="Seconds for making a connection: names, a proxy and TLS included.",
    )
    idle_timeout: kinds.Seconds = Field(
        default=60.0,
        description="Seconds without a byte in either direction after which a call is given up.",
    )

    @field_validator("api_url", "token_url")
    @classmethod
    def _to_zoom_alone(cls, url: str, info: ValidationInfo) -> str:
        if url == AUTO:
            return url
        url = at_home(info.field_name or "", url, info.data.get("cloud", "commercial"))
        trusted: tuple[str, ...] | None = info.data.get("trusted_hosts")
        # Hosts that are wrong by themselves are reported already.
        if trusted is not None and not may_have_token(urlsplit(url).hostname or "", trusted):
            raise ValueError(
                "must be at zoom.us, zoomgov.com or a host below them, as the token goes to Zoom"
                " alone; if it is a front of your own, name its host in upstream.trusted_hosts"
            )
        return url

    @property
    def api_origin(self) -> str:
        """The URL of the API, as far as the configuration alone can tell it."""
        return HOMES[self.cloud].api_url if self.api_url == AUTO else self.api_url

    def proxy_to(self, url: str, environ: Mapping[str, str]) -> EgressProxy | None:
        """The proxy on the way to `api_url` or `token_url`; None: there is none.

        Raises ValueError, with the variable's name first, for one in `environ` that is unusable.
        """
        choice = self.egress_proxy
        whole = choice.reveal() if isinstance(choice, SecretUrl) else choice
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        return egress.choose(whole, environ, parts.hostname or "", port, secure=secure)

    def shown_proxy(self, environ: Mapping[str, str]) -> str | None:
        """The proxy that is on the way to one of the hosts at least, as `host:port`.

        Raises as `proxy_to` does.
        """
        found = self.proxy_to(self.api_origin, environ) or self.proxy_to(self.token_url, environ)
        return None if found is None else str(found)


def unusable_proxies(settings: UpstreamSettings, environ: Mapping[str, str]) -> Iterator[str]:
    """The problems with the proxies that the environment names, where one would be used."""
    told: set[Any] = set()
    for url in (settings.api_origin, settings.token_url):
        try:
            settings.proxy_to(url, environ)
        except ValueError as error:
            hint = f" (or set {egress.KEY}: off)"
            if str(error) not in told:
                yield f"{error}{hint}"
            told.add(str(error))
