"""The listener, its limits and who may call, in the terminal."""

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


def facts(body: Mapping[str, Any]) -> Iterator[tuple[str, Mark]]:
    """Sentences, each with how it looks."""
    listener, upstream = body["listener"], body["upstream"]
    tls = listener["tls"]
    if tls is None:
        yield f"Callers connect to {listener['address']} without TLS.", Mark.OK
    else:
        wall = datetime.fromisoformat(body["at"]).timestamp()
        until = iso(tls["expires_at"])[:10]
        client = CLIENT_CERTIFICATES.get(tls["client_certificates"], "unknown")
        text = (
            f"Callers connect to {listener['address']} with TLS: the certificate is "
            f"{certificate_words(tls, wall)} (until {until}), client certificates are {client}."
        )
        yield text, mark_certificate(tls, wall)
    count, reasons = denials(body["access"])
    denied = f" Denied since the start: {count:,} ({reasons})." if count else ""
    yield (
        f"Who may call: {access_words(body['access'])}.{denied}",
        Mark.WARNING if count else Mark.OK,
    )
    yield f"Calls go to {way_words(upstream)}.", Mark.OK


def limits(body: Mapping[str, Any]) -> Iterator[tuple[str, str, float | None, Mark]]:
    """Those that are nearly reached or were: name, words, share in use, and how it looks."""
    for name, one in body["limits"].items():
        mark = mark_limit(one)
        if mark is not Mark.OK:
            hits = f", {times(one['hits'])}" if one["hits"] else ""
            yield name, f"{use(name, one)}{hits}", share(one), mark
