"""`zoom-gateway status`: a running gateway's state in the terminal."""

import json
import os
import sys
import time
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage
from typing import IO, Any, Final, NoReturn
from urllib import request as urls
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit

import click

from gateway.cli.admin_url import admin_url
from gateway.cli.options import Seconds
from gateway.cli.status_view import View, printable

WELL, DEGRADED, UNREACHABLE = 0, 1, 2
"""Exit codes."""

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of an answer: no gateway's status is larger."""

WATCH: Final = 2.0
"""Seconds between two looks with `--watch`."""

_SCHEMES: Final = ("http://", "https://")


class UnreachableError(Exception):
    """There is no status to be had; the text says why and what to check."""


@click.command()
@click.option(
    "--url",
    default=lambda: admin_url(os.environ),
    show_default="as this machine's gateway is configured, or http://127.0.0.1:9090",
    help="The gateway's admin listener.",
)
@click.option("--ready", is_flag=True, help="Ask /readyz alone: 0 if it takes calls, 1 if not.")
@click.option("--json", "as_json", is_flag=True, help="Print /status.json as it is.")
@click.option(
    "--timeout",
    type=Seconds(),
    default=5.0,
    show_default=True,
    help="Seconds to wait for the gateway.",
)
@click.option(
    "--account", "accounts", multiple=True, help="Show this account alone. May be repeated."
)
@click.option("--watch", is_flag=True, help="Show it anew every 2 seconds, until Ctrl-C.")
def status(
    url: str,
    *,
    ready: bool,
    as_json: bool,
    timeout: float,
    accounts: tuple[str, ...],
    watch: bool,
) -> None:
    """Show a running gateway's state. Exits with 0 if all is well, 1 if not, 2 if there is none."""
    if watch and not (as_json or ready):
        _watch(url, timeout, accounts)
    try:
        if ready:
            sys.exit(tell_readiness(url, timeout))
        body = about(fetch(url, timeout), accounts)
    except UnreachableError as problem:
        click.echo(str(problem), err=True)
        sys.exit(UNREACHABLE)
    if as_json:
        click.echo(json.dumps(body, indent=2))
    else:
        show(View(), body)
    sys.exit(WELL if body["state"] == "ok" else DEGRADED)


def show(view: View, body: dict[str, Any]) -> None:
    """Print a status; ends the program if it cannot be understood."""
    try:
        view.show(body)
    except (KeyError, TypeError, ValueError, AttributeError):
        click.echo("This is another version's status. See it with --json.", err=True)
        sys.exit(UNREACHABLE)


def about(body: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The status, of these accounts alone if there are any. Raises UnreachableError."""
    if not names:
        return body
    try:
        chosen = {one["name"]: one for one in body["accounts"] if one["name"] in names}
    except (KeyError, TypeError):
        raise UnreachableError("This is another version's status. See it with --json.") from None
    if unknown := [name for name in names if name not in chosen]:
        raise UnreachableError(f"That gateway has no account {', '.join(unknown)}.")
    return {**body, "accounts": [*chosen.values()]}


def _watch(url: str, timeout: float, accounts: tuple[str, ...]) -> NoReturn:
    """A gateway that is gone may come back."""
    view = View()
    while True:
        try:
            body = about(fetch(url, timeout), accounts)
        except UnreachableError as problem:
            view.clear()
            click.echo(str(problem), err=True)
        else:
            view.clear()
            show(view, body)
        time.sleep(WATCH)


class _SameHost(urls.HTTPRedirectHandler):
    """The status of one gateway is not asked of another host."""

    def redirect_request(
        self,
        req: urls.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urls.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        same = (old.hostname, old.port) == (new.hostname, new.port)
        if not same or not newurl.lower().startswith(_SCHEMES):
            fp.close()
            raise UnreachableError(
                f"{old.hostname} redirects to another host ({new.hostname}), which is not followed."
                " Give that address with --url if it is the gateway."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(url: str, timeout: float) -> dict[str, Any]:
    """Give the body of `/status.json` below `url`; `timeout` in seconds.

    Raises UnreachableError, nothing else.
    """
    code, text = _ask(url, "status.json", timeout)
    _under_this_name(url, code, text)
    if code != HTTPStatus.OK:
        _not_a_gateway(url, f"it answers {code}")
    return _read(url, text, {"state", "sentence", "accounts"})


def tell_readiness(url: str, timeout: float) -> int:
    """Print what `/readyz` below `url` says; give the exit code. Raises UnreachableError."""
    code, text = _ask(url, "readyz", timeout)
    _under_this_name(url, code, text)
    if code not in {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}:
        _not_a_gateway(url, f"it answers {code}")
    body = printable(_read(url, text, {"ready", "reasons"}))
    ready = code == HTTPStatus.OK
    click.echo("\n".join(["ready" if ready else "not ready", *map(str, body["reasons"])]))
    return WELL if ready else DEGRADED


def _ask(url: str, page: str, timeout: float) -> tuple[int, bytes]:
    """Give the status and body of a page below `url`. Raises UnreachableError."""
    if not url.lower().startswith(_SCHEMES):
        raise UnreachableError(f"--url must begin with http:// or https://, not as {url!r} does.")
    opener = urls.OpenerDirector()
    # No proxy, no file: or ftp:, no cookies: only what is needed.
    for handler in (
        urls.HTTPHandler(),
        urls.HTTPSHandler(),
        _SameHost(),
        urls.HTTPErrorProcessor(),
        urls.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    try:
        target = urljoin(url.rstrip("/") + "/", page)
        try:
            answer = opener.open(target, timeout=timeout)
        except HTTPError as error:
            answer = error
        with answer:
            return answer.code, answer.read(LARGEST)
    except (URLError, OSError, HTTPException, ValueError) as error:
        raise UnreachableError(_unreachable(url, timeout, error)) from None


def _unreachable(url: str, timeout: float, error: Exception) -> str:
    inner = getattr(error, "reason", error)
    if isinstance(inner, TimeoutError):
        why = f"no answer within {timeout:g} s"
    else:
        why = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    return (
        f"The gateway at {url} cannot be reached: {why}.\n"
        "Check that it runs, and that --url is the address of its admin listener (admin.host and "
        "admin.port of the configuration), not of the proxy."
    )


def _under_this_name(url: str, code: int, text: bytes) -> None:
    if code == HTTPStatus.FORBIDDEN and b"access.hosts" in text:
        raise UnreachableError(
            f"The gateway at {url} does not answer under this name.\n"
            f"Ask by its IP address, or list {urlsplit(url).hostname} in access.hosts of its "
            "configuration."
        )


def _not_a_gateway(url: str, why: str) -> NoReturn:
    raise UnreachableError(
        f"What listens at {url} is not a gateway's admin listener: {why}.\n"
        "Check --url: it is admin.host and admin.port of the configuration, not the proxy's port."
    )


def _read(url: str, text: bytes, parts: set[str]) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        _not_a_gateway(url, "its answer is not JSON")
    if not isinstance(body, dict) or not parts <= body.keys():
        _not_a_gateway(url, "its answer is not a status")
    return body
