"""The TLS of a host: who it says it is, who vouches for it, and how long that holds."""

import asyncio
import contextlib
import datetime as dt
import os
import re
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import aiohappyeyeballs
from cryptography import x509

from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.cli.doctor.running import milliseconds
from gateway.core.egress import EgressProxy
from gateway.core.zoom_hosts import is_zooms
from gateway.wiring import Way
from gateway.zoom.tls import Trust
from gateway.zoom.upstream.dial import NEXT_ADDRESS, Attempt, Origin
from gateway.zoom.words import describe

SOON: Final = 14.0
"""Days before its end at which a certificate ought to have been replaced."""

# Codes of X509_verify_cert_error_string(3).
_NOT_YET: Final = 9
_EXPIRED: Final = 10
_SELF_SIGNED: Final = 18
_WRONG_HOST: Final = frozenset({62, 64})


@dataclass(frozen=True, slots=True)
class Certificate:
    """What one says. Days are from now."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    begins: float
    days_left: float

    @property
    def details(self) -> dict[str, Any]:
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "names": list(self.names),
            "days_left": round(self.days_left, 1),
        }


async def handshake(way: Way, seconds: float) -> Finding | None:
    """Connect as the gateway does, in `seconds`, TLS included. None: it works, without TLS."""
    if way.proxy is not None:
        return await _by_proxy(way, way.proxy, seconds)
    begun = time.monotonic()
    try:
        async with asyncio.timeout(seconds), _connected(way, way.tls) as tls:
            took = time.monotonic() - begun
            return _secure(way, tls, took) if tls else None
    except ssl.SSLCertVerificationError as problem:
        return _untrusted(way, problem, await _shown(way, seconds))
    except ssl.SSLError as problem:
        return _failed(way, problem)
    except TimeoutError:
        if way.tls is not None and await _listens(way, seconds):
            return _silent(way, seconds)
        return _unconnected(way, f"no connection within {seconds:g} s", dropped=True)
    except OSError as problem:
        return _unconnected(way, _why(problem), dropped=False)


async def _by_proxy(way: Way, proxy: EgressProxy, seconds: float) -> Finding:
    begun = time.monotonic()
    attempt = _attempt(way, way.tls)
    try:
        async with asyncio.timeout(seconds), _tunnelled(attempt) as tls:
            return _secure(way, tls, time.monotonic() - begun)
    except (OSError, UnicodeError) as problem:
        why = attempt.why(problem, seconds)
        if attempt.at_proxy:
            return _proxy_failed(way, proxy, why)
        if isinstance(problem, ssl.SSLCertVerificationError):
            return _untrusted(way, problem, await _shown(way, seconds))
        return _broken_tunnel(way, proxy, why)


def _attempt(way: Way, context: ssl.SSLContext | None) -> Attempt:
    """To who is behind a proxy, whom `context` judges; the proxy itself is judged as ever."""
    origin = Origin(way.host, way.port, _giving(context))
    return Attempt(origin, way.proxy, _giving(way.tls), way.names)


def _giving(context: ssl.SSLContext | None) -> Trust | None:
    return None if context is None else lambda: context


@contextlib.asynccontextmanager
async def _tunnelled(attempt: Attempt) -> AsyncIterator[ssl.SSLObject]:
    transport, _ = await attempt.connect(lambda _: asyncio.Protocol())
    try:
        yield transport.get_extra_info("ssl_object")
    finally:
        transport.close()


def _proxy_failed(way: Way, proxy: EgressProxy, why: str) -> Finding:
    # NO_PROXY excepts no host from a proxy that the configuration names.
    named = proxy.source == "upstream.egress_proxy"
    instead = "" if named else "name it in NO_PROXY, or "
    return Finding(
        Code.PROXY_FAILED,
        Level.PROBLEM,
        proxy.source,
        f"The proxy {proxy} ({proxy.source}) gives no way to {way.host} port {way.port}: {why}.",
        f"Check {proxy.source}, and the proxy's own log and rules. If {way.host} can be reached "
        f"without it, {instead}set upstream.egress_proxy: off.",
        {"host": way.host, "port": way.port, "proxy": str(proxy), "reason": why},
    )


def _broken_tunnel(way: Way, proxy: EgressProxy, why: str) -> Finding:
    return Finding(
        Code.TLS_FAILED,
        Level.PROBLEM,
        way.key,
        f"The proxy {proxy} opens a way to {way.host} port {way.port}, but TLS fails there: {why}.",
        f"Check the port in {way.key}; the proxy, or a firewall, may answer in the host's place.",
        {"host": way.host, "proxy": str(proxy), "reason": why},
    )


def _why(problem: OSError) -> str:
    """Of several addresses that failed asyncio makes one error, with the numbers in its text."""
    found = re.search(r"\[Errno (\d+)\]", str(problem)) if problem.errno is None else None
    return os.strerror(int(found[1])) if found else describe(problem)


@contextlib.asynccontextmanager
async def _connected(
    way: Way, context: ssl.SSLContext | None
) -> AsyncIterator[ssl.SSLObject | None]:
    name = way.host if context else None
    sock = await aiohappyeyeballs.start_connection(
        await way.names.addresses(way.host, way.port),
        happy_eyeballs_delay=NEXT_ADDRESS,
        interleave=1,
    )
    try:
        _, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=name)
    except BaseException:
        sock.close()
        raise
    try:
        yield writer.get_extra_info("ssl_object")
    finally:
        writer.close()


async def _listens(way: Way, seconds: float) -> bool:
    """Whether a connection without TLS is taken."""
    with contextlib.suppress(OSError):
        async with asyncio.timeout(seconds), _connected(way, None):
            return True
    return False


async def _shown(way: Way, seconds: float) -> Certificate | None:
    """The certificate that was not believed. Nothing is sent to who shows it."""
    doubting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    doubting.check_hostname = False
    doubting.verify_mode = ssl.CERT_NONE
    connected = _tunnelled(_attempt(way, doubting)) if way.proxy else _connected(way, doubting)
    with contextlib.suppress(OSError, ValueError):
        async with asyncio.timeout(seconds), connected as tls:
            return read(tls)
    return None


def read(tls: ssl.SSLObject | None) -> Certificate | None:
    """The peer's certificate. Raises ValueError if it makes no sense."""
    raw = tls.getpeercert(binary_form=True) if tls else None
    if raw is None:
        return None
    found = x509.load_der_x509_certificate(raw)
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    return Certificate(
        subject=_name(found.subject),
        issuer=_name(found.issuer),
        names=_names(found),
        begins=(found.not_valid_before_utc - now) / day,
        days_left=(found.not_valid_after_utc - now) / day,
    )


def _name(name: x509.Name) -> str:
    """The common name and the organisation, or whatever there is."""
    kinds = (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME)
    parts = [str(one.value) for kind in kinds for one in name.get_attributes_for_oid(kind)]
    return " / ".join(parts) or name.rfc4514_string() or "nobody"


def _names(found: x509.Certificate) -> tuple[str, ...]:
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    hosts = names.get_values_for_type(x509.DNSName)
    return (*hosts, *map(str, names.get_values_for_type(x509.IPAddress)))


def _secure(way: Way, tls: ssl.SSLObject, took: float) -> Finding:
    found = read(tls)
    version = tls.version() or "TLS"
    details = {"host": way.host, "version": version, "time_ms": milliseconds(took)}
    text = f"{version} with {way.host} in {milliseconds(took)} ms"
    if found is None:
        return Finding(Code.TLS_OK, Level.OK, way.key, f"{text}.", details=details)
    text += f"; its certificate is by {found.issuer} and good for {found.days_left:.0f} days."
    details |= found.details
    if found.days_left >= SOON:
        return Finding(Code.TLS_OK, Level.OK, way.key, text, details=details)
    advice = (
        "Zoom, or the proxy in its place, should have replaced it by now: keep an eye on it."
        if is_zooms(way.host)
        else "Replace it in time: no connection is made afterwards."
    )
    return Finding(Code.TLS_EXPIRES_SOON, Level.WARNING, way.key, text, advice, details)


def _untrusted(
    way: Way, problem: ssl.SSLCertVerificationError, found: Certificate | None
) -> Finding:
    shown = found or Certificate("unknown", "unknown", (), 0.0, 0.0)
    code, sentence, advice = _judge(way, problem.verify_code, shown)
    details = {
        "host": way.host,
        "reason": problem.verify_message,
        **(found.details if found else {}),
    }
    return Finding(code, Level.PROBLEM, way.key, sentence, advice, details)


def _judge(way: Way, verify_code: int, shown: Certificate) -> tuple[Code, str, str]:
    """Code, sentence and advice for what OpenSSL did not like."""
    if verify_code not in {_EXPIRED, _NOT_YET, *_WRONG_HOST}:
        return _no_authority(way, verify_code, shown)
    its = f"The certificate of {way.host}"
    if verify_code == _EXPIRED:
        code = Code.TLS_EXPIRED
        text = f"{its} ended {-shown.days_left:.1f} days ago by this machine's clock."
        advice = (
            "Is the clock right (date -u)? If it is, whoever runs the host, or a proxy in its "
            "place, must replace the certificate."
        )
    elif verify_code == _NOT_YET:
        code = Code.TLS_NOT_YET_VALID
        text = f"{its} begins in {shown.begins:.1f} days by this machine's clock."
        advice = (
            "Most often this machine's clock is slow: compare date -u, and let it be set by NTP."
        )
    else:
        code = Code.TLS_WRONG_HOST
        text = f"{its} is for {', '.join(shown.names) or shown.subject}, not for {way.host}."
        advice = (
            f"Check {way.key} and what the name stands for: this is another host, or a proxy in "
            "its place."
        )
    return code, text, advice


def _no_authority(way: Way, verify_code: int, shown: Certificate) -> tuple[Code, str, str]:
    where = "store.ca_file" if way.key == "store.url" else "upstream.ca_file"
    its = f"The certificate of {way.host}"
    if is_zooms(way.host):
        code = Code.TLS_INTERCEPTED
        text = (
            f"{its} is issued by {shown.issuer}, which this machine does not trust: a proxy "
            "inspects TLS, or the machine has no store of authorities."
        )
        advice = (
            "Get its CA's certificate from who runs the proxy, and add it to the machine's store "
            "(update-ca-certificates), or let upstream.ca_file (or, for all programs, "
            "SSL_CERT_FILE) name a file with it and the usual authorities. In a slim container, "
            "install ca-certificates."
        )
    elif verify_code == _SELF_SIGNED:
        code = Code.TLS_SELF_SIGNED
        text = f"{its} is signed by itself ({shown.subject})."
        advice = f"If it is the right one, name its file in {where}."
    else:
        code = Code.TLS_UNTRUSTED
        text = f"{its} is issued by {shown.issuer}, which is not trusted here."
        advice = (
            f"If it is your own authority, name the file of its certificate in {where}; if it is "
            "not, something stands in the host's place."
        )
    return code, text, advice


def _failed(way: Way, problem: ssl.SSLError) -> Finding:
    return Finding(
        Code.TLS_FAILED,
        Level.PROBLEM,
        way.key,
        f"{way.host} port {way.port} speaks no TLS that this machine understands: "
        f"{describe(problem)}.",
        f"Check the port in {way.key}; a firewall may answer in the host's place.",
        {"host": way.host, "reason": problem.reason or ""},
    )


def _silent(way: Way, seconds: float) -> Finding:
    return Finding(
        Code.TLS_FAILED,
        Level.PROBLEM,
        way.key,
        f"{way.host} port {way.port} ({way.key}) takes connections, but its TLS is not ready "
        f"within {seconds:g} s.",
        f"Does that port speak TLS? Check the scheme and the port in {way.key}; if they are right, "
        "the server is overloaded, or a firewall answers in its place.",
        {"host": way.host, "reason": "silent"},
    )


def _unconnected(way: Way, why: str, *, dropped: bool) -> Finding:
    cause = (
        "A firewall that drops packets looks like this: open this machine's way to"
        if dropped
        else "Check that it runs, that a firewall lets this machine through, and"
    )
    rest = f"{way.host}, port {way.port}." if dropped else f"{way.key}."
    return Finding(
        Code.CONNECTION_FAILED,
        Level.PROBLEM,
        way.key,
        f"{way.host} port {way.port} ({way.key}) cannot be reached: {why}.",
        f"{cause} {rest}",
        {"host": way.host, "port": way.port, "reason": why},
    )
