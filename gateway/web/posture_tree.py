"""The status page's part on the listener, its limits and who may call."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from gateway.core.posture import (
    CLIENT_CERTIFICATES,
    Mark,
    access_words,
    certificate_words,
    denials,
    mark_certificate,
    mark_limit,
    share,
    times,
    use,
    way_words,
)
from gateway.core.status import iso
from gateway.web.tree import Node, el, moment, number

Part = Mapping[str, Any]


def posture(status: Part) -> Node | None:
    """A card; None if there is nothing to tell."""
    if "listener" not in status:
        return None
    wall = datetime.fromisoformat(status["at"]).timestamp()
    close, rest = _limits(status["limits"])
    return el(
        "section",
        {"class": "card", "aria-labelledby": "posture"},
        el("h2", {"id": "posture"}, "Security and limits"),
        el(
            "dl",
            "facts",
            *_listener(status["listener"], wall),
            _access(status["access"]),
            *_upstream(status["upstream"]),
        ),
        el("ul", {"class": "limits", "aria-label": "limits"}, *close) if close else None,
        _folded(rest),
    )


def _fact(name: str, *values: Node | None) -> Node:
    return el("div", None, el("dt", None, name), el("dd", None, *values))


def _listener(listener: Part, wall: float) -> Iterator[Node]:
    yield _fact("Callers connect to", listener["address"])
    tls = listener["tls"]
    if tls is None:
        yield _fact("TLS", "off: calls come in plain HTTP")
        return
    mark = mark_certificate(tls, wall)
    expired = tls["expires_at"] <= wall
    yield _fact(
        "TLS",
        "on, certificate ",
        "was good until " if expired else f"{certificate_words(tls, wall)}, until ",
        moment(iso(tls["expires_at"])),
        *_pill(mark, "expired" if expired else "expires soon"),
        el("small", None, f" {', '.join(tls['names'])}") if tls["names"] else None,
    )
    words = CLIENT_CERTIFICATES.get(tls["client_certificates"], "unknown")
    yield _fact("Client certificates", words)


def _pill(mark: Mark, words: str) -> tuple[Node, ...]:
    return () if mark is Mark.OK else (" ", el("span", f"pill {mark.value}", words))


def _access(access: Part) -> Node:
    count, reasons = denials(access)
    return _fact(
        "Who may call",
        access_words(access),
        *(_pill(Mark.WARNING, f"{number(count)} denied") if count else ()),
        el("small", None, f" {reasons}") if count else None,
    )


def _upstream(upstream: Part) -> Iterator[Node]:
    yield _fact("Calls go to", way_words(upstream))


def _limits(limits: Part) -> tuple[list[Node], list[Node]]:
    """Those that somebody may have to act on, and the others."""
    close: list[Node] = []
    rest: list[Node] = []
    for name, one in limits.items():
        mark = mark_limit(one)
        (rest if mark is Mark.OK else close).append(_limit(name, one, mark))
    return close, rest


def _limit(name: str, one: Part, mark: Mark) -> Node:
    used = share(one)
    fullness = mark_limit({**one, "hits": 0})
    return el(
        "li",
        mark.value,
        el(
            "p",
            "limit",
            el("strong", None, name),
            *_pill(fullness, "full" if fullness is Mark.ERROR else "nearly full"),
            *(_pill(Mark.WARNING, times(one["hits"])) if one["hits"] else ()),
        ),
        None if used is None else _bar(name, used),
        el("p", "note", use(name, one)),
    )


def _bar(name: str, used: float) -> Node:
    width = round(100 * min(1.0, used), 1)
    return el(
        "svg",
        {"viewBox": "0 0 100 8", "preserveAspectRatio": "none", "role": "img"}
        | {"class": "life", "aria-label": f"{name}: {round(100 * used)} % in use"},
        el("rect", {"class": "track", "width": "100", "height": "8"}),
        el("rect", {"class": "left", "width": width, "height": "8"}),
    )


def _folded(rest: list[Node]) -> Node | None:
    if not rest:
        return None
    several = f"{len(rest)} limits with room" if len(rest) > 1 else "1 limit with room"
    return el(
        "details",
        None,
        el("summary", None, several),
        el("ul", {"class": "limits", "aria-label": "limits with room"}, *rest),
    )
