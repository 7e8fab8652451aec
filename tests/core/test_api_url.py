"""The `api_url` beside a token leads to Zoom's hosts, or nowhere."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.api_url import believed
from gateway.core.zoom_hosts import is_zooms


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.zoom.us", "https://api.zoom.us"),
        ("https://api.zoom.us/", "https://api.zoom.us"),
        ("HTTPS://API-EU.Zoom.US.:443", "https://api-eu.zoom.us"),
        ("https://api.zoomgov.com:8443/", "https://api.zoomgov.com:8443"),
        ("https://front.example", "https://front.example"),
    ],
)
def test_what_is_followed(url: str, origin: str) -> None:
    assert believed(url, ["front.example"]) == origin
    assert believed(origin, ["front.example"]) == origin


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "api.zoom.us",
        "http://api.zoom.us",
        "https://api.zoom.us/v2",
        "https://api.zoom.us?x",
        "https://api.zoom.us#x",
        "https://api.zoom.us:0",
        "https://api.zoom.us:65536",
        "https://api.zoom.us:443x",
        "https://evil.example",
        "https://zoom.us.evil.example",
        "https://notzoom.us",
        "https://zoom.us@evil.example",
        "https://evil.example@zoom.us",
        "https://evil.example\\@zoom.us",
        "https://evil.example\\.zoom.us",
        "https://api.zoom.us\r\nX: y",
        "https://api.zoom.us\n",
        "https://ⓩoom.us",
        "https://127.0.0.1",
        "https://[::1]",
        "https://[api.zoom.us]",
        "https://10.0.0.1",
        "https://zoom.us.127.1",
        "//api.zoom.us",
        "ftp://api.zoom.us",
        "https://localhost",
    ],
)
def test_what_is_not(url: str | None) -> None:
    assert believed(url, ["front.example"]) is None


def test_this_machine_where_tokens_come_from_it() -> None:
    assert believed("http://127.0.0.1:8081", here=True) == "http://127.0.0.1:8081"
    assert believed("http://[::1]:8081/", here=True) == "http://[::1]:8081"
    assert believed("http://localhost", here=True) == "http://localhost"
    assert believed("http://127.0.0.1:8081") is None
    assert believed("http://10.0.0.1", here=True) is None


HOSTS = st.sampled_from(
    ["zoom.us", "api.zoom.us", "evil.example", "127.0.0.1", "[::1]", "zoomgov.com", "localhost"]
)
ODD = st.text(alphabet="@:/\\.?#%&;[]xz0 \t\r\n\u3002\u24e9\u00ad", max_size=6)


@given(st.sampled_from(["https://", "http://", "//", ""]), st.lists(HOSTS | ODD, max_size=5))
def test_whatever_is_put_together_leads_to_zoom_or_nowhere(scheme: str, parts: list[str]) -> None:
    origin = believed(scheme + "".join(parts))
    if origin is not None:
        found = urlsplit(origin)
        assert found.scheme == "https"
        assert is_zooms(found.hostname or "")
        assert found.netloc.isascii()
        assert (found.path, found.query, found.fragment, found.username) == ("", "", "", None)
