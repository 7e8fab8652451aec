"""`zoom-gateway status`: a running gateway's state in the terminal."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn
from urllib import request as urls
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit

import click

from gateway.cli.admin_url import admin_url
from gateway.core.status import span

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WELL, DEGRADED, UNREACHABLE = 0, 1, 2
"""Exit codes."""

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of an answer: no gateway's status is larger."""

BAR: Final = 20
"""Characters of a life bar."""

PIPE_WIDTH: Final = 120
"""Columns where there is no terminal to ask."""

_SCHEMES: Final = ("http://", "https://")

_STYLES: Final = {
    "ok": "green",
    "degraded": "yellow",
    "unready": "red",
    "failing": "red",
    "error": "red",
    "warning": "yellow",
    "notice": "dim",
}


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
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="Seconds to wait for the gateway.",
)
def status(url: str, *, ready: bool, as_json: bool, timeout: float) -> None:
    """Show a running gateway's state. Exits with 0 if all is well, 1 if not, 2 if there is none."""
    try:
        if ready:
            sys.exit(tell_readiness(url, timeout))
        body = fetch(url, timeout)
    except UnreachableError as problem:
        click.echo(str(problem), err=True)
        sys.exit(UNREACHABLE)
    if as_json:
        click.echo(json.dumps(body, indent=2))
    else:
        try:
            show(body)
        except (KeyError, TypeError, ValueError, AttributeError):
            click.echo("This is another version's status. See it with --json.", err=True)
            sys.exit(UNREACHABLE)
    sys.exit(WELL if body["state"] == "ok" else DEGRADED)


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
    if code != HTTPStatus.OK:
        _not_a_gateway(url, f"it answers {code}")
    return _read(url, text, {"state", "sentence", "accounts"})


def tell_readiness(url: str, timeout: float) -> int:
    """Print what `/readyz` below `url` says; give the exit code. Raises UnreachableError."""
    code, text = _ask(url, "readyz", timeout)
    if code not in {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}:
        _not_a_gateway(url, f"it answers {code}")
    body = _printable(_read(url, text, {"ready", "reasons"}))
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


def show(body: Mapping[str, Any]) -> None:
    """Print a status for people: coloured on a terminal, plain text in a pipe."""
    from rich.console import Console  # noqa: PLC0415  no other command pays for it
    from rich.text import Text  # noqa: PLC0415

    body = _printable(body)
    console = Console(highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console = Console(
            highlight=False, emoji=False, markup=False, width=PIPE_WIDTH, color_system=None
        )
    replica = body["replica"]
    console.print(Text(body["state"], _style(body["state"], bold=True)), Text(body["sentence"]))
    console.print(
        f"replica {replica['name']}, version {replica['version']}, process {replica['pid']}, "
        f"up for {span(replica['uptime'])}",
        style="dim",
    )
    for account in body["accounts"]:
        console.print()
        console.print(
            Text(f"account {account['name']}:", "bold"),
            Text(account["state"], _style(account["state"])),
        )
        console.print(_slots(account, _bar(console)))
        _advise(console, account)
    # An older gateway does not tell.
    replicas = body.get("fleet", {}).get("replicas", [])
    if len(replicas) > 1:
        console.print()
        console.print(_replicas(replicas))


def _style(word: str, *, bold: bool = False) -> str:
    return f"{'bold ' if bold else ''}{_STYLES.get(word, 'default')}"


def _slots(account: Mapping[str, Any], bar: Callable[[float], str]) -> "Table":
    from rich.table import Table  # noqa: PLC0415

    table = Table("slot", "token", "life", "minted", box=None, pad_edge=False, header_style="dim")
    for slot in account["slots"]:
        phase = "out" if slot["barred"] else slot["phase"]
        table.add_row(f"{slot['app']}/{slot['index']}", *_cells(slot, phase, bar))
    return table


def _cells(slot: Mapping[str, Any], phase: str, bar: Callable[[float], str]) -> Iterator[str]:
    token = slot["token"]
    if token is None:
        yield phase
        retry = slot["retry_in"]
        yield f"next try in {span(retry)}" if retry is not None and not slot["barred"] else ""
        return
    share = token["expires_in"] / token["lifetime"] if token["lifetime"] else 0.0
    yield f"{phase} {token['generation']}{'' if token['accepted'] else ' (not seen accepted)'}"
    yield f"{bar(share)} {span(token['expires_in'])} of {span(token['lifetime'])}"
    yield f"{span(token['age'])} ago ({token['cause']}, by {token['minter']})"


def _replicas(replicas: list[Mapping[str, Any]]) -> "Table":
    from rich.table import Table  # noqa: PLC0415

    table = Table(
        f"{len(replicas)} replicas",
        *("version", "address", "since", "last seen", "token"),
        box=None,
        pad_edge=False,
        header_style="dim",
    )
    for one in replicas:
        name = f"{one['name']} (this one)" if one["this"] else one["name"]
        tokens = ", ".join(
            f"{account} {generation or 'none'}"
            for account, generation in one["generations"].items()
        )
        seen = f"{span(one['seen'])} ago"
        table.add_row(name, one["version"], one["address"], one["since"], seen, tokens)
    return table


def _bar(console: "Console") -> Callable[[float], str]:
    full, empty = ("█", "░") if console.encoding.startswith("utf") else ("#", ".")

    def bar(share: float) -> str:
        filled = round(BAR * min(1.0, max(0.0, share)))
        return full * filled + empty * (BAR - filled)

    return bar


def _advise(console: "Console", account: Mapping[str, Any]) -> None:
    from rich.padding import Padding  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    for one in account["diagnoses"]:
        console.print(
            Text.assemble((f"{one['severity']}: ", _style(one["severity"])), one["sentence"])
        )
        console.print(Padding(Text(one["advice"], "dim"), (0, 0, 0, 2), expand=False))


def _printable(value: Any) -> Any:
    """A gateway that is none must not steer the terminal."""
    if isinstance(value, str):
        return "".join(one if one.isprintable() else "?" for one in value)
    if isinstance(value, list):
        return [_printable(one) for one in value]
    if isinstance(value, dict):
        return {name: _printable(one) for name, one in value.items()}
    return value
