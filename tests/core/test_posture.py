from typing import Any

import pytest

from gateway.core.diagnosis import Severity
from gateway.core.posture import (
    AccessStatus,
    LimitStatus,
    ListenerStatus,
    Mark,
    Posture,
    TlsStatus,
    UpstreamStatus,
    access_words,
    amount,
    certificate_words,
    denials,
    diagnose_certificate,
    mark_certificate,
    mark_limit,
    remaining,
    share,
    times,
    told,
    use,
    way_words,
)

HOUR = 3600.0
DAY = 24 * HOUR
WALL = 1_800_000_000.0


def tls(left: float, life: float | None = 90 * DAY) -> TlsStatus:
    ends = WALL + left
    return TlsStatus(ends, ("gateway.example",), "required", None if life is None else ends - life)


def seen(one: TlsStatus) -> Any:
    body = told(Posture(ListenerStatus("0.0.0.0:8080", one), UpstreamStatus("api.zoom.us")))
    return body["listener"]["tls"]


def test_what_is_told() -> None:
    posture = Posture(
        ListenerStatus("0.0.0.0:8080", TlsStatus(WALL, ("a", "b"))),
        UpstreamStatus("api.zoom.us", "proxy.example:3128"),
        AccessStatus("deny", 2, {"rule": 3}),
        {"calls": LimitStatus(1000, 7, 1), "call_timeout": LimitStatus(300)},
    )
    assert told(posture) == {
        "listener": {
            "address": "0.0.0.0:8080",
            "tls": {
                "expires_at": WALL,
                "begins_at": None,
                "names": ["a", "b"],
                "client_certificates": "off",
            },
        },
        "access": {"default": "deny", "rules": 2, "denied": {"rule": 3}},
        "limits": {
            "calls": {"limit": 1000, "now": 7, "hits": 1},
            "call_timeout": {"limit": 300, "now": None, "hits": 0},
        },
        "upstream": {
            "api": "api.zoom.us",
            "proxy": "proxy.example:3128",
            "addresses": {},
            "nameservers": [],
            "named": [],
        },
    }


def test_plain_http_is_told() -> None:
    body = told(Posture(ListenerStatus("127.0.0.1:8080"), UpstreamStatus("api.zoom.us")))
    assert body["listener"] == {"address": "127.0.0.1:8080", "tls": None}
    assert body["access"] == {"default": "allow", "rules": 0, "denied": {}}
    assert body["limits"] == {}


@pytest.mark.parametrize("life", [None, 90 * DAY])
def test_a_certificate_is_marked_a_week_before_its_end_and_a_fault_a_day_before(
    life: float | None,
) -> None:
    marks = [mark_certificate(seen(tls(left, life)), WALL) for left in (8 * DAY, 6 * DAY, HOUR, -1)]
    assert marks == [Mark.OK, Mark.WARNING, Mark.ERROR, Mark.ERROR]
    found = [diagnose_certificate(tls(left, life), WALL) for left in (6 * DAY, 5 * HOUR, -1)]
    assert found[0] == []
    assert [(one.code, one.severity) for one in (*found[1], *found[2])] == [
        ("certificate_expires", Severity.WARNING),
        ("certificate_expired", Severity.ERROR),
    ]
    assert "expires in 5 h:" in found[1][0].sentence
    assert found[2][0].since == WALL - 1
    assert diagnose_certificate(None, WALL) == []


def test_a_certificate_that_lives_for_a_day_is_well_until_it_is_not_renewed() -> None:
    """It is renewed at a third of its life, 8 h."""
    marks = [
        mark_certificate(seen(tls(left, DAY)), WALL) for left in (7 * HOUR, 5 * HOUR, 3 * HOUR)
    ]
    assert marks == [Mark.OK, Mark.WARNING, Mark.ERROR]
    assert diagnose_certificate(tls(5 * HOUR, DAY), WALL) == []
    assert diagnose_certificate(tls(3 * HOUR, DAY), WALL)


def test_an_older_gateway_does_not_tell_when_it_began() -> None:
    assert mark_certificate({"expires_at": WALL + 8 * DAY}, WALL) is Mark.OK


def limit(most: float, now: float | None = None, hits: int = 0) -> dict[str, Any]:
    return {"limit": most, "now": now, "hits": hits}


def test_a_limit_is_marked_when_it_is_nearly_reached_full_or_was_reached() -> None:
    assert mark_limit(limit(100, 79)) is Mark.OK
    assert mark_limit(limit(100, 80)) is Mark.WARNING
    assert mark_limit(limit(100, 100)) is Mark.ERROR
    assert mark_limit(limit(100, 0, 1)) is Mark.WARNING
    assert mark_limit(limit(30)) is Mark.OK
    # None is none.
    assert mark_limit(limit(0, 5000)) is Mark.OK
    assert share(limit(0, 5000)) is None
    assert share(limit(200, 50)) == 0.25


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("calls", 1000, "1,000"),
        ("call_timeout", 300.0, "300 s"),
        ("header_timeout", 0.5, "0.5 s"),
        ("header_bytes", 16384, "16 KiB"),
        ("kept_memory", 64 * 2**20, "64 MiB"),
        ("kept_disk", 1.5 * 2**30, "1.5 GiB"),
        ("kept_disk", 12, "12 B"),
    ],
)
def test_amounts_have_units(name: str, value: float, text: str) -> None:
    assert amount(name, value) == text


def test_use_in_words() -> None:
    assert use("calls", limit(1000, 950)) == "950 of 1,000"
    assert use("call_timeout", limit(300)) == "300 s"
    assert use("calls", limit(0, 5)) == "5 of no limit"
    assert times(1) == "reached once"
    assert times(1200) == "reached 1,200 times"


def test_access_in_words() -> None:
    def words(default: str, rules: int) -> str:
        return access_words({"default": default, "rules": rules})

    assert words("allow", 0) == "no rules: who reaches the gateway may call"
    assert words("deny", 1) == "1 rule; whom none names may not call"
    assert words("allow", 3) == "3 rules; whom none names may call"
    denied = {"rule": 1200, "host": 0, "key": 2}
    assert denials({"denied": denied}) == (1202, "rule: 1,200, key: 2")
    assert denials({"denied": {}}) == (0, "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(62.5 * DAY, "62 days"), (47 * HOUR, "47 h"), (90 * 60, "90 min"), (-5, "0 min")],
)
def test_how_long_is_left(seconds: float, text: str) -> None:
    assert remaining(seconds) == text
    words = certificate_words({"expires_at": WALL + seconds}, WALL)
    assert words == ("expired" if seconds < 0 else f"good for {text}")


@pytest.mark.parametrize(
    ("upstream", "words"),
    [
        (UpstreamStatus("api.zoom.us"), "api.zoom.us"),
        (
            UpstreamStatus("api.zoom.us", addresses={"api.zoom.us": "192.0.2.7"}),
            "api.zoom.us (api.zoom.us is 192.0.2.7)",
        ),
        (
            UpstreamStatus(
                "api.zoom.us",
                addresses={"zoom.us": "192.0.2.7"},
                nameservers=("192.0.2.53", "192.0.2.54"),
                named=("api-eu.zoom.us",),
            ),
            "api.zoom.us, api-eu.zoom.us (zoom.us is 192.0.2.7; names by 192.0.2.53, 192.0.2.54)",
        ),
        (
            UpstreamStatus("api.zoom.us", "proxy.example:3128", {"zoom.us": "192.0.2.7"}),
            "api.zoom.us, through the proxy proxy.example:3128",
        ),
    ],
)
def test_the_way_to_zoom_in_words(upstream: UpstreamStatus, words: str) -> None:
    body = told(Posture(ListenerStatus("127.0.0.1:8080"), upstream))
    assert way_words(body["upstream"]) == words


def test_a_gateway_of_before_tells_less_of_its_way() -> None:
    assert way_words({"api": "api.zoom.us", "proxy": None}) == "api.zoom.us"
