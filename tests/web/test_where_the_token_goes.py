"""Whatever a caller names, and wherever Zoom redirects: the token goes to Zoom's hosts alone."""

import asyncio
import contextlib
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.core.api_url import believed
from gateway.settings.upstream import UpstreamSettings
from gateway.web.sources import Sources
from tests.support.listening import listening
from tests.support.raw_http import Heard
from tests.support.scripted_hosts import API, ZOOMS, ScriptedHosts
from tests.support.scripted_upstream import Reply, Sent

WORDS = (
    "zoom.us zoomgov.com us02web.zoom.us api.zoom.us fileapi.zoom.us ssrweb.zoom.us notzoom.us evil"
    " evil.example zoom.us.evil.example evil.example.zoom.us xn--zom-jna.us xn--zom-jna.zoom.us"
    " localhost 127.0.0.1 127.1 2130706433 0x7f.0.0.1 017700000001 [::1] [::ffff:127.0.0.1]"
    " 169.254.169.254 zo\u00f6m.us zoom\u3002us \u24e9oom.us"
)
BITS = (
    ". .. @ : :443 :80 :8443 / // \\ ; # ? %2e %2f %40 %00 %3a %252e user user:pass@ evil.example"
)
NAMES = st.one_of(
    st.sampled_from(["us02web.zoom.us", "zoom.us", "file.zoom.us", "evil.example"]),
    st.sampled_from(WORDS.split()),
    st.lists(st.sampled_from((*WORDS.split(), *BITS.split(), ".", "zoom", "us")), max_size=5).map(
        "".join
    ),
    st.sampled_from(WORDS.split()).map(str.upper),
    st.tuples(st.sampled_from(WORDS.split()), st.sampled_from(BITS.split())).map("".join),
)
FRONTS = (
    "/_HOSTS/ /%5fhosts/ //_hosts/ /./_hosts/ /@default/_hosts/ /_hosts// /v2/../_hosts/"
    " /_hosts/zoom.us/_hosts/ /_hosts%2f / // http:// https://"
)
PREFIXES = st.one_of(st.just("/_hosts/"), st.sampled_from(FRONTS.split()))
PATHS = st.sampled_from(
    ["", "/", "/rec/x", "/v2/users", "/oauth/token", "?Signature=x", "/@evil/x"]
)
SCHEMES = st.sampled_from(["https://", "http://", "//", "https:", "HTTPS://", "/", "", "ftp://"])
PLAIN = st.sampled_from(
    ["https://us02web.zoom.us/a", "https://zoom.us/rec/x", "https://evil.example/", "/rec/x"]
)
LOCATIONS = st.one_of(PLAIN, st.tuples(SCHEMES, NAMES, PATHS).map("".join))


@dataclass(frozen=True)
class Asked:
    prefix: str
    name: str
    path: str
    host: str
    """What the `Host` field says."""
    method: str
    redirects: tuple[tuple[int, str], ...]

    def bytes(self) -> bytes:
        target = f"{self.prefix}{self.name}{self.path}".encode()
        lines = [
            b"%b %b HTTP/1.1" % (self.method.encode(), target),
            b"Host: " + self.host.encode(),
            b"Authorization: Bearer theirs",
            b"Connection: close, authorization",
            b"Content-Length: 4",
        ]
        return b"\r\n".join(lines) + b"\r\n\r\nbody"


ASKED = st.builds(
    Asked,
    PREFIXES,
    NAMES,
    PATHS,
    st.one_of(st.just("gateway.test"), NAMES),
    st.sampled_from(["GET", "POST", "PUT"]),
    st.lists(st.tuples(st.sampled_from([301, 302, 303, 307, 308]), LOCATIONS), max_size=6).map(
        tuple
    ),
)
LEAVING = (
    (307, "https://zoom.us/a"),
    (307, "https://evil.example/a"),
    (307, "https://zoom.us/b"),
    (307, "https://evil.example/b"),
)


async def ask(calls: list[Asked]) -> ScriptedHosts:
    """Make the calls. Who is shown the token, and is not Zoom's, fails the test there and then."""
    hosts = ScriptedHosts()
    left: list[tuple[int, str]] = []

    def choose(_: str, sent: Sent) -> Reply:
        del sent
        if not left:
            return Reply(body=[b"{}"])
        status, location = left.pop(0)
        return Reply(status, [(b"Location", location.encode()), (b"Content-Length", b"0")])

    hosts.choose = choose
    async with listening(
        real_upstream=hosts.at(API), elsewhere=hosts.elsewhere(), sources=Anybody()
    ) as running:
        for call in calls:
            left[:] = call.redirects
            async with await running.caller() as caller:
                await caller.send(call.bytes())
                heard: Heard = await caller.hear()
                assert heard.status < 500 or heard.status == 502, heard
    return hosts


class Anybody(Sources):
    """Lets everybody in, under any name."""

    def __init__(self) -> None:
        """Nothing is asked."""

    def check(self, *_: object) -> None:
        """It is another test's."""


@given(st.lists(ASKED, min_size=1, max_size=6))
@example([Asked("/_hosts/", "us02web.zoom.us", "/rec/x", "gateway.test", "POST", LEAVING)])
@example([Asked("/_hosts/", "zoom.us@evil.example", "/", "evil.example", "GET", ())])
@example([Asked("http://", "evil.example", "/_hosts/evil.example/", "evil.example", "GET", ())])
def test_no_name_and_no_redirect_brings_it_to_a_strangers_host(calls: list[Asked]) -> None:
    hosts = asyncio.run(ask(calls))
    for name, sent in hosts.sent:
        shown = sent.values(b"authorization")
        assert shown in ([], [b"Bearer token-1"])
        assert not shown or name == API or ZOOMS.fullmatch(name.encode())


def test_the_test_sees_a_leak() -> None:
    """Its oracle fails for a host that is wrongly trusted."""
    hosts = ScriptedHosts()
    hosts.choose = lambda *_: Reply()

    async def leak() -> None:
        elsewhere = hosts.elsewhere("evil.example")
        async with listening(elsewhere=elsewhere) as running, await running.caller() as caller:
            call = Asked("/_hosts/", "evil.example", "/", "gateway.test", "GET", ())
            await caller.send(call.bytes())
            await caller.hear()

    with pytest.raises(AssertionError, match=r"the token went to evil\.example"):
        asyncio.run(leak())


URLS = st.tuples(SCHEMES, NAMES, PATHS).map("".join)


@given(URLS)
@example("https://api.zoom.us@evil.example")
@example("https://api.zoom.us\\@evil.example")
@example("https://evil.example#.zoom.us")
def test_no_api_url_does_either(url: str) -> None:
    """Neither in a configuration nor beside a token."""
    taken = [believed(url, (), here=False)]
    with contextlib.suppress(ValidationError):
        taken.append(UpstreamSettings(api_url=url).api_url)
    for one in taken:
        if one is None or one == "auto":
            continue
        parts = urlsplit(one)
        here = parts.hostname in {"localhost", "127.0.0.1", "::1", "::ffff:127.0.0.1"}
        assert here or re.fullmatch(
            ZOOMS.pattern.decode(), (parts.hostname or "").removesuffix(".")
        )
        assert here or parts.scheme == "https"
        assert parts.username is None
