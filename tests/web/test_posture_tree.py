"""What the status page says of the listener, its limits and who may call."""

from typing import Any

import pytest

from gateway.core.posture import Posture, diagnose_certificate
from gateway.core.status import ReadinessGate, Replica, snapshot
from gateway.web import status_page
from gateway.web.tree import Node
from tests.observe.charts import NOW, WALL, healthy
from tests.observe.postures import DAY, guarded, plain
from tests.web.test_status_tree import parts, text


def view(posture: Posture | None) -> dict[str, Any]:
    charts = {"default": healthy()}
    own = diagnose_certificate(posture.listener.tls, WALL) if posture else []
    ready = ReadinessGate().look(charts, charts, (), own)
    body = snapshot(charts, ready, Replica("gw-1", "1", 1, NOW, posture=posture), NOW, WALL)
    return status_page.view(body, lambda _: {})


def card(posture: Posture) -> list[Node]:
    found = [
        one for one in parts(view(posture)["page"]) if one[1].get("aria-labelledby") == "posture"
    ]
    assert len(found) == 1
    return list(found)


def facts(posture: Posture) -> dict[str, str]:
    (listed,) = (one for one in parts(card(posture)) if one[1].get("class") == "facts")
    return {text([name]): text([value]) for _, _, (name, value) in listed[2]}


def pills(posture: Posture) -> list[str]:
    return [
        text([one]) for one in parts(card(posture)) if one[1].get("class", "").startswith("pill ")
    ]


def test_without_tls_it_says_so() -> None:
    assert facts(plain()) == {
        "Callers connect to": "127.0.0.1:8080",
        "TLS": "off: calls come in plain HTTP",
        "Who may call": "no rules: who reaches the gateway may call",
        "Calls go to": "api.zoom.us",
    }
    assert pills(plain()) == []


def test_with_everything_it_says_what_there_is() -> None:
    found = facts(guarded())
    assert found["TLS"].startswith(
        "on, certificate good for 62 days, until 2027-03-18 08:00:00 UTC"
    )
    assert found["TLS"].endswith("gateway.zoom.svc, gateway.zoom.svc.cluster.local")
    assert found["Client certificates"] == "required"
    assert found["Who may call"] == "3 rules; whom none names may not call"
    assert found["Calls go to"] == "api.zoom.us, through the proxy proxy.example:3128"
    assert pills(guarded()) == []
    # Limits with room are folded away.
    (folded,) = (one for one in parts(card(guarded())) if one[0] == "details")
    assert text(folded[2][:1]) == "9 limits with room"
    assert "kept_memory3 MiB of 64 MiB" in text([folded])


@pytest.mark.parametrize(
    ("posture", "marks"),
    [
        (guarded(6 * DAY), ["expires soon"]),
        (guarded(-60), ["expired"]),
        (guarded(calls=850), ["nearly full"]),
        (guarded(calls=1000, hits=3), ["full", "reached 3 times", "reached once"]),
        (guarded(denied=1200), ["1,320 denied"]),
    ],
)
def test_what_somebody_has_to_look_at_is_marked(posture: Posture, marks: list[str]) -> None:
    assert pills(posture) == marks


def test_a_limit_that_is_nearly_reached_is_drawn_outside_the_fold() -> None:
    found = card(guarded(calls=950))
    (first,) = (one for one in parts(found) if one[1].get("aria-label") == "limits")
    assert text([first]) == "calls nearly full950 of 1,000"
    (bar,) = (one for one in parts([first]) if one[0] == "svg")
    assert bar[1]["aria-label"] == "calls: 95 % in use"
    assert [one[1]["width"] for one in parts([bar]) if one[0] == "rect"] == ["100", "95.0"]


def test_a_certificate_that_ends_is_the_first_sentence_and_said_aloud() -> None:
    ends = view(guarded(3600 * 5))
    assert ends["title"] == "degraded · zoom-gateway"
    assert ends["sentence"].startswith("The proxy's certificate expires in 5 h")
    assert "What to do: Renew it" in text(ends["page"])
    assert ends["key"] != view(guarded())["key"]


def test_what_is_not_told_is_not_shown() -> None:
    assert "Security and limits" not in text(view(None)["page"])


def test_one_limit_is_one() -> None:
    posture = guarded()
    few = Posture(posture.listener, posture.upstream, limits={"calls": posture.limits["calls"]})
    assert "1 limit with room" in text(card(few))
