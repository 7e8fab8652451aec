"""What `zoom-gateway status` says of the listener, its limits and who may call."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from gateway.cli.status_view import View
from gateway.core.posture import Posture, diagnose_certificate
from gateway.core.status import ReadinessGate, Replica, snapshot
from tests.observe.charts import NOW, WALL, healthy
from tests.observe.postures import DAY, guarded, plain


def body(posture: Posture | None) -> dict[str, Any]:
    charts = {"default": healthy()}
    own = diagnose_certificate(posture.listener.tls, WALL) if posture else []
    ready = ReadinessGate().look(charts, charts, (), own)
    return snapshot(charts, ready, Replica("gw-1", "1", 1, NOW, posture=posture), NOW, WALL)


Shown = Callable[[Posture | None], str]


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Shown:
    """What a pipe gets."""

    def show(posture: Posture | None) -> str:
        View().show(body(posture))
        return capsys.readouterr().out

    return show


def coloured(posture: Posture) -> str:
    """What a terminal gets."""
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8")
    View(Console(file=stream, width=200, force_terminal=True, color_system="standard")).show(
        body(posture)
    )
    stream.seek(0)
    return stream.read()


def test_without_tls_and_rules(shown: Shown) -> None:
    said = " ".join(shown(plain()).split())
    assert "security and limits Callers connect to 127.0.0.1:8080 without TLS." in said
    assert "Who may call: no rules: who reaches the gateway may call." in said
    assert "Calls go to api.zoom.us." in said


def test_with_everything(shown: Shown) -> None:
    said = " ".join(shown(guarded()).split())
    assert (
        "Callers connect to 0.0.0.0:8080 with TLS: the certificate is good for 62 days (until "
        "2027-03-18), client certificates are required." in said
    )
    assert "Who may call: 3 rules; whom none names may not call." in said
    assert "Calls go to api.zoom.us, through the proxy proxy.example:3128." in said
    # Limits with room are not worth a line.
    assert "header_bytes" not in said


def test_limits_that_are_nearly_reached_or_were(shown: Shown) -> None:
    lines = shown(guarded(calls=900, hits=3)).splitlines()
    (calls,) = (line for line in lines if line.startswith("calls "))
    assert calls.split()[:2] == ["calls", "█" * 22 + "░" * 2]
    assert calls.endswith(" 900 of 1,000, reached 3 times")
    (per,) = (line for line in lines if line.startswith("connections_per_caller"))
    assert per.split()[1:] == ["200,", "reached", "once"]


@pytest.mark.parametrize(
    ("posture", "colour", "line"),
    [
        (guarded(6 * DAY), "33", "with TLS"),
        (guarded(-60), "31", "with TLS"),
        (guarded(denied=12), "33", "Denied since the start: 13 (rule: 12, default: 1)."),
        (guarded(calls=1000), "31", "1,000 of 1,000"),
    ],
)
def test_what_somebody_has_to_look_at_has_a_colour(
    posture: Posture, colour: str, line: str
) -> None:
    (found,) = (one for one in coloured(posture).splitlines() if line in one)
    assert f"\x1b[{colour}m" in found


def test_a_certificate_that_ends_is_the_first_sentence_with_what_to_do(shown: Shown) -> None:
    said = " ".join(shown(guarded(5 * 3600)).split())
    assert said.startswith("degraded The proxy's certificate expires in 5 h")
    assert "Renew it: tls.certificate_file" in said


def test_an_older_gateway_does_not_tell(shown: Shown) -> None:
    assert "security and limits" not in shown(None)
