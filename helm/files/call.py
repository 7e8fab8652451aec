# ruff: noqa: INP001  the chart's test pod gets it as a text
"""Make one call through the Service, as `helm test` does. Its exit code is 0 if all is well.

    python call.py URL [SERVER_NAME off|optional|required DIRECTORY]

Zoom's answer is good, whatever it is: one that the gateway makes itself has a header that says so.
The directory may hold `ca.crt`, and `tls.crt` and `tls.key` of a client.
"""

import http.client
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT = 20
"""Seconds."""

UNSHOWN = "The gateway asks for a client certificate, and takes no call without one."


class Named(http.client.HTTPSConnection):
    """The certificate has to name `name`, whatever the address is called."""

    def __init__(self, address: str, name: str, context: ssl.SSLContext) -> None:
        super().__init__(address, timeout=TIMEOUT)
        self._name, self._tls = name, context

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


def connection(url: str, name: str, files: Path) -> http.client.HTTPConnection:
    place = urlsplit(url)
    if place.scheme == "http":
        return http.client.HTTPConnection(place.netloc, timeout=TIMEOUT)
    known, own = files / "ca.crt", files / "tls.crt"
    context = ssl.create_default_context(cafile=str(known) if known.exists() else None)
    # No stricter than callers are: many a CA in use lacks what newer rules ask of it.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if own.exists():
        context.load_cert_chain(own, files / "tls.key")
    return Named(place.netloc, name or str(place.hostname), context)


def call(link: http.client.HTTPConnection, path: str) -> tuple[bool, str]:
    """Whether all is well, and what happened."""
    link.request("GET", path)
    answer = link.getresponse()
    body = answer.read(2000).decode(errors="replace")
    ours = answer.headers.get("X-Zoom-Gateway-Error")
    if ours == "not_allowed":
        return True, "not allowed, as the rules say: this pod is none of the callers that they name"
    # A 401 about scopes proves that the token is good.
    refused = answer.status == http.client.UNAUTHORIZED and "scope" not in body
    by = f"by the gateway: {body}" if ours else "by Zoom"
    return not (ours or refused), f"{answer.status}, {by}"


def main(url: str, name: str = "", shown: str = "off", directory: str = "/nowhere") -> int:
    files = Path(directory)
    without = False
    place = urlsplit(url)
    try:
        link = connection(url, name, files)
        link.connect()
        # In TLS 1.3 the server says what it thinks of the client only after the handshake.
        without = shown == "required" and not (files / "tls.crt").exists()
        good, words = call(link, f"{place.path}?{place.query}")
        if without:
            good, words = False, f"{words}, though no client certificate was shown"
    except ssl.SSLCertVerificationError as problem:
        good, words = False, f"its certificate cannot be verified: {problem.verify_message}"
    except (ssl.SSLError, ConnectionError, http.client.HTTPException) as problem:
        good, words = without, UNSHOWN if without else f"{type(problem).__name__}: {problem}"
    except OSError as problem:
        good, words = False, str(problem)
    sys.stdout.write(f"{url}: {words}\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
