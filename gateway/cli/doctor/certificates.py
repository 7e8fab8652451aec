"""The certificate that callers are shown, and the CAs that theirs must come from."""

import ssl
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from gateway import wiring
from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.core.certificate import Certificate
from gateway.core.errors import ConfigurationError
from gateway.core.status import iso
from gateway.settings import Settings

ABOUT: Final = "tls.certificate_file"
CA: Final = "tls.client_ca_file"

_DAY: Final = 86400.0


def look_at(settings: Settings) -> Iterator[Finding]:
    tls = settings.tls
    try:
        certificate, context = tls.certificate(), tls.context(ssl.SSLContext)
    except ConfigurationError as error:  # changed since the settings were read
        yield Finding(Code.CONFIGURATION, Level.PROBLEM, "tls", f"{error.problems[0]}.")
        return
    yield _age(certificate, time.time())
    if not certificate.names:
        yield Finding(
            Code.CERTIFICATE_WITHOUT_NAMES,
            Level.WARNING,
            ABOUT,
            "The gateway's certificate has no alternative names, and clients look at no other.",
            "Have it issued for the names under which callers reach the gateway.",
        )
    if refused := _refused(settings, certificate.names):
        yield _name_refused(refused)
    if tls.asked is not None:
        yield _client_cas(context.get_ca_certs(), tls.asked, time.time())


def _refused(settings: Settings, names: Iterable[str]) -> list[str]:
    """Names under which callers would trust the gateway, and get a 403; URIs are no such names."""
    may = wiring.sources(settings).hosts.allow
    return [one for one in names if "/" not in one and not may(_example(one).encode())]


def _example(name: str) -> str:
    """A name that a certificate stands for; an IPv6 address as a `Host` has it."""
    return f"[{name}]" if ":" in name else name.replace("*", "any", 1)


def _name_refused(names: list[str]) -> Finding:
    return Finding(
        Code.CERTIFICATE_NAME_REFUSED,
        Level.WARNING,
        "access.hosts",
        f"The certificate is for {', '.join(names)}, but calls under "
        f"{'that name' if len(names) == 1 else 'those names'} get 403 host_refused.",
        f"If callers use them: access.hosts: [{', '.join(map(_quoted, names))}].",
        {"names": names},
    )


def _quoted(name: str) -> str:
    return f'"{name}"' if name.startswith("*") else name


def _age(certificate: Certificate, now: float) -> Finding:
    names = ", ".join(certificate.names) or "no names"
    days = (certificate.ends - now) / _DAY
    details = {
        "names": list(certificate.names),
        "expires_at": iso(certificate.ends),
        "days_left": round(days, 1),
    }
    its = f"The gateway's certificate ({names})"
    replace = "Replace the file: it is read again within seconds, without a restart."
    match certificate.age(now):
        case "expired":
            text = f"{its} ended {-days:.1f} days ago by this machine's clock."
            code, level, advice = Code.CERTIFICATE_EXPIRED, Level.PROBLEM, replace
        case "early":
            text = f"{its} begins on {iso(certificate.begins)}: not yet, by this machine's clock."
            code, level = Code.CERTIFICATE_NOT_YET_VALID, Level.PROBLEM
            advice = "Most often this machine's clock is slow: compare date -u."
        case "due":
            text = f"{its} is good for {days:.1f} days, and should have been renewed by now."
            code, level, advice = Code.CERTIFICATE_DUE, Level.WARNING, replace
        case _:
            text = f"{its} is good for {days:.0f} days."
            code, level, advice = Code.CERTIFICATE_OK, Level.OK, ""
    return Finding(code, level, ABOUT, text, advice, details)


def _client_cas(found: list[dict[str, Any]], asked: str, now: float) -> Finding:
    names = [_common_name(one) for one in found]
    ended = [
        name
        for one, name in zip(found, names, strict=True)
        if ssl.cert_time_to_seconds(one["notAfter"]) <= now
    ]
    details = {"authorities": names, "client_certificates": asked}
    if ended:
        return Finding(
            Code.CLIENT_CA_EXPIRED,
            Level.PROBLEM,
            CA,
            f"The certificate of the CA {', '.join(ended)} has ended: no caller of it is let in.",
            "Put its successor into the file; it is read again within seconds.",
            details,
        )
    return Finding(
        Code.CLIENT_CA_OK,
        Level.OK,
        CA,
        f"Callers' certificates are {asked}, and must come from {', '.join(names)}.",
        details=details,
    )


def _common_name(certificate: dict[str, Any]) -> str:
    subject = {key: value for part in certificate["subject"] for key, value in part}
    return str(subject.get("commonName") or subject.get("organizationName") or "a CA without name")
