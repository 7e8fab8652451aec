"""The checks themselves: each asks one thing, and gives findings in words."""

import asyncio
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from gateway import wiring
from gateway.cli.findings import Finding, Level
from gateway.core.document import decode
from gateway.core.errors import GatewayError, MintError, MintFailure
from gateway.core.secret import Secret
from gateway.core.token import Grant, SlotId
from gateway.ports import Probe, UpstreamRequest
from gateway.settings import AccountSettings, Settings
from gateway.zoom.upstream import HttpUpstream

STORE_SECRETS = (
    "password_file",
    "sentinel_password_file",
    "client_key_file",
    "encryption_key_file",
    "previous_encryption_key_file",
)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


async def examine(settings: Settings, config: Path | None, *, mint: bool) -> list[Finding]:
    """All findings, in the order in which a call meets the things they are about."""
    found = list(_files(settings, config))
    found += await _store(settings)
    api = wiring.upstream(settings)
    try:
        reached = await _reach_api(settings, api)
        found.append(reached)
        found.append(await _reach_token_endpoint(settings))
        if mint and reached.level is Level.OK:
            for name, account in settings.accounts.items():
                found += await _mint_all(settings, name, account, api)
    finally:
        await api.close()
    if not mint:
        found.append(Finding(Level.OK, "No token was minted: --mint tries the credentials, too."))
    return found


def _files(settings: Settings, config: Path | None) -> Iterator[Finding]:
    inline = settings.store.password is not None or any(
        app.client_secret is not None for one in settings.accounts.values() for app in one.apps
    )
    if config is not None and inline and _readable_by_others(config):
        yield _exposed("the configuration file", config)
    for name, account in settings.accounts.items():
        for app in account.apps:
            for path in (app.client_secret_file, app.previous_client_secret_file):
                if path is not None and _readable_by_others(path):
                    yield _exposed(f"the secret file of accounts.{name}, app {app.name},", path)
    for key in STORE_SECRETS:
        path = getattr(settings.store, key)
        if path is not None and _readable_by_others(path):
            yield _exposed(f"store.{key}", path)


def _readable_by_others(path: Path) -> bool:
    return bool(path.stat().st_mode & _OTHERS)


def _exposed(what: str, path: Path) -> Finding:
    return Finding(
        Level.WARNING,
        f"Others than its owner can read {what} {path}.",
        f"chmod 600 {path}; in a container, mount it for the gateway's user alone.",
    )


async def _store(settings: Settings) -> list[Finding]:
    try:
        store = wiring.token_store(settings, print)
        try:
            for name, account in settings.accounts.items():
                stored = await store.read(name)
                if stored.document is not None:
                    decode(stored.document, wiring.identities(account), 0.0)
        finally:
            await store.close()
    except GatewayError as error:
        return [Finding(Level.PROBLEM, f"The token store: {error}.", "See store.url.")]
    return [Finding(Level.OK, f"The token store {settings.store.url} can be used.")]


async def _reach_api(settings: Settings, api: HttpUpstream) -> Finding:
    url = settings.upstream.api_url
    target = settings.token.probe_path.encode()
    return await _reach(api, target, f"The API at {url}", "upstream.api_url")


async def _reach_token_endpoint(settings: Settings) -> Finding:
    url = urlsplit(settings.upstream.token_url)
    endpoint = HttpUpstream(
        f"{url.scheme}://{url.netloc}", connect_timeout=settings.upstream.connect_timeout
    )
    try:
        what = f"The token endpoint at {settings.upstream.token_url}"
        return await _reach(endpoint, url.path.encode(), what, "upstream.token_url")
    finally:
        await endpoint.close()


async def _reach(api: HttpUpstream, target: bytes, what: str, key: str) -> Finding:
    """A GET without credentials: any answer will do."""
    request = UpstreamRequest("GET", target, ((b"Host", api.host), (b"Accept", b"*/*")))
    try:
        async with asyncio.timeout(10):
            answer = await api.send(request)
            await answer.close()
    except TimeoutError:
        return Finding(Level.PROBLEM, f"{what} did not answer within 10 s.", f"Check {key}.")
    except GatewayError as error:
        advice = f"Check {key}, the name's resolution, the firewall and the certificate."
        return Finding(Level.PROBLEM, f"{what} cannot be reached: {error}", advice)
    return Finding(Level.OK, f"{what} answers.")


async def _mint_all(
    settings: Settings, name: str, account: AccountSettings, api: HttpUpstream
) -> list[Finding]:
    minter = wiring.minter(settings, account)
    found = []
    try:
        for slot in wiring.identities(account):
            where = f"accounts.{name}, slot {slot}"
            try:
                async with asyncio.timeout(settings.token.mint_timeout):
                    grant = await minter.mint(slot)
            except TimeoutError:
                found.append(
                    Finding(Level.PROBLEM, f"{where}: the token endpoint did not answer in time.")
                )
            except MintError as error:
                found.append(_mint_failed(where, slot, error))
            else:
                found += _granted(where, grant)
                found.append(await _call(settings, where, grant.value, api))
    finally:
        await minter.close()
    return found


def _mint_failed(where: str, slot: SlotId, error: MintError) -> Finding:
    advice = ""
    if error.failure is MintFailure.INVALID_INDEX:
        advice = (
            f"Take {slot.index} out of token_indexes, or ask Zoom's support to raise the limit."
        )
    return Finding(Level.PROBLEM, f"{where}: no token. {error}", advice)


def _granted(where: str, grant: Grant) -> Iterator[Finding]:
    scopes = len(grant.scope.split())
    text = f"{where}: Zoom gave a token for {grant.lifetime:.0f} s with {scopes} scopes."
    yield Finding(Level.OK, text)
    if grant.previous_secret:
        yield Finding(
            Level.WARNING,
            f"{where}: Zoom takes only previous_client_secret.",
            "Correct client_secret before Zoom stops taking the previous one.",
        )


async def _call(settings: Settings, where: str, token: Secret, api: HttpUpstream) -> Finding:
    path = settings.token.probe_path
    alive = await wiring.prober(api).probe(Probe(token, path.encode()))
    if alive:
        return Finding(Level.OK, f"{where}: Zoom takes the token for GET {path}.")
    if alive is None:
        return Finding(Level.PROBLEM, f"{where}: GET {path} got no answer.", "Try again.")
    return Finding(
        Level.PROBLEM,
        f"{where}: Zoom refuses the token it just issued for GET {path}.",
        "Is the app active in Zoom's marketplace, and who owns it? Does another program mint with "
        "the same credentials?",
    )
