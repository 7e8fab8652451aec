"""The token store: whether it works, how fast, what is in it, and who shares it."""

import os
import re
import secrets
import socket
import statistics
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from typing import Final

from gateway import __version__, wiring
from gateway.cli.doctor import names, tls
from gateway.cli.doctor.case import Case
from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.cli.doctor.running import milliseconds
from gateway.cli.doctor.zoom import SKEW
from gateway.core.document import decode
from gateway.core.errors import GatewayError, StoreContentError, StoreError
from gateway.core.presence import Presence
from gateway.core.scopes import scopes_of
from gateway.core.status import span
from gateway.ports import Stored, TokenStore
from gateway.settings import AccountSettings
from gateway.wiring import Way

READS: Final = 5
"""Reads of which the median and the slowest are told."""

SLOW: Final = 0.1
"""Seconds for a read: a mint takes about six calls, while calls wait for it."""

CONNECT: Final = 3.0
"""Seconds for a connection to Redis, TLS included."""

OLDEST: Final = 5
"""The first version of Redis whose scripts may write after they asked for the time."""


async def store(case: Case) -> AsyncIterator[Finding]:
    """Everything about it."""
    settings = case.settings.store
    if settings.redis is not None:
        async for finding in _way(case):
            yield finding
    said: list[str] = []
    try:
        opened = wiring.token_store(case.settings, said.append)
        try:
            async for finding in _use(case, opened):
                yield finding
        finally:
            await opened.close()
    except GatewayError as error:
        yield _failed(error)
    for sentence in said:
        yield Finding(
            Code.STORE_FILE_SET_ASIDE,
            Level.WARNING,
            "store.url",
            f"In the store, {sentence}.",
            "Find out what else writes there; a new token is minted in place of what was lost.",
        )
    for finding in _encryption(case):
        yield finding


def _failed(error: GatewayError) -> Finding:
    code = Code.STORE_DOCUMENT_BAD if isinstance(error, StoreContentError) else Code.STORE_FAILED
    return Finding(code, Level.PROBLEM, "store.url", f"The token store: {error}.", "See store.url.")


async def _way(case: Case) -> AsyncIterator[Finding]:
    """To Redis, or to each of the Sentinels."""
    try:
        ways = list(wiring.store_ways(case.settings))
    except (OSError, ValueError):
        return  # the files of TLS were there when the settings were read: the first call tells
    for way in ways:
        async for finding in _one_way(way):
            yield finding


async def _one_way(way: Way) -> AsyncIterator[Finding]:
    addresses: list[names.IpAddress] = []
    async for finding in names.resolve(way, addresses):
        yield finding
    if way.tls is None and not all(one.is_loopback for one in addresses):
        yield Finding(
            Code.STORE_IN_CLEAR,
            Level.NOTICE,
            way.key,
            f"The tokens and the password travel to {way.host} in clear.",
            "Use rediss:// if others share that network.",
        )
    # A server that asks for certificates of its clients tells so only after the handshake.
    if addresses and way.tls is not None:
        handshake = await tls.handshake(way, CONNECT)
        if handshake is not None:
            yield handshake


async def _use(case: Case, opened: TokenStore) -> AsyncIterator[Finding]:
    settings = case.settings
    if settings.store.url == "memory:":
        yield Finding(
            Code.STORE_MEMORY,
            Level.OK,
            "store.url",
            "Tokens are kept in memory: each process mints its own.",
            "More than one replica needs a store that they share: see docs/fleet.md.",
        )
        return
    account = next(iter(settings.accounts))
    times: list[float] = []
    for _ in range(READS):
        begun = time.monotonic()
        with suppress(StoreContentError):  # it answers; the document's own check tells
            await opened.read(account)
        times.append(time.monotonic() - begun)
    present = await _beat(opened)
    yield _round_trips(case, times)
    for name, one in settings.accounts.items():
        async for finding in _document(case, opened, name, one):
            yield finding
    for finding in _fleet(present):
        yield finding
    if settings.store.redis is not None:
        async for finding in _server(case):
            yield finding


async def _beat(opened: TokenStore) -> Sequence[Presence]:
    """Who is there. It writes, too, and leaves nothing behind, so it proves the right to."""
    name = f"check-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
    own = Presence(name, __version__, "", time.time())
    try:
        present = await opened.beat(own)
    finally:
        await opened.leave(name)
    return [one for one in present if one.name != name]


def _round_trips(case: Case, times: Sequence[float]) -> Finding:
    median, longest = milliseconds(statistics.median(times)), milliseconds(max(times))
    url = case.settings.store.url
    details = {"reads": len(times), "median_ms": median, "max_ms": longest}
    text = (
        f"The token store {url} can be read and written; a read takes {median} ms, at most "
        f"{longest} ms ({len(times)} reads)."
    )
    if statistics.median(times) <= SLOW:
        return Finding(Code.STORE_OK, Level.OK, "store.url", text, details=details)
    advice = (
        "Calls that wait for a token wait for about six round trips more: put the store nearer "
        "to the gateway."
    )
    return Finding(Code.STORE_SLOW, Level.WARNING, "store.url", text, advice, details)


async def _document(
    case: Case, opened: TokenStore, name: str, account: AccountSettings
) -> AsyncIterator[Finding]:
    where = f"accounts.{name}"
    try:
        stored = await opened.read(name)
        if stored.document is None:
            text = f"{where}: the store holds no tokens yet."
            yield Finding(Code.STORE_EMPTY, Level.OK, where, text)
            return
        chart = decode(stored.document, wiring.identities(account), 0.0)
    except StoreError as error:
        yield _failed(error)
        return
    now = stored.now
    active = chart.usable(now)
    token, details = "no token in use", {"format": stored.document.get("format")}
    if active is not None:
        case.live.append(name)
        usable = [slot.token for slot in chart.slots if slot.token and slot.token.usable(now)]
        # Any of them may be the one that a call goes with.
        case.stored[name] = frozenset.intersection(*(scopes_of(one.scope) for one in usable))
        age, left = now - active.issued_at, active.expires_at - now
        token = f"token {active.generation}, minted {span(age)} ago by {active.minter}"
        token += f", good for {span(left)}"
        details |= {"generation": active.generation, "age_ms": milliseconds(age)}
    text = f"{where}: the store holds {token} (format {details['format']})."
    yield Finding(Code.STORE_DOCUMENT, Level.OK, where, text, details=details)
    for finding in _clock(where, stored):
        yield finding


def _clock(where: str, stored: Stored) -> Iterator[Finding]:
    ahead = time.time() - stored.now
    if abs(ahead) > SKEW:
        side = "ahead of" if ahead > 0 else "behind"
        yield Finding(
            Code.STORE_CLOCK_SKEWED,
            Level.NOTICE,
            where,
            f"This machine's clock is {abs(ahead):.0f} s {side} the store's.",
            "The fleet goes by the store's clock, so tokens do not suffer; logs of several "
            "machines are hard to compare. Let NTP set both.",
            {"skew_ms": milliseconds(ahead)},
        )


def _fleet(present: Sequence[Presence]) -> Iterator[Finding]:
    versions = sorted({one.version for one in present} | {__version__})
    listed = [{"name": one.name, "version": one.version, "address": one.address} for one in present]
    details = {"replicas": listed, "versions": versions}
    shown = ", ".join(f"{one.name} ({one.version}, {one.address})" for one in present)
    text = f"{len(present)} replicas use this store now: {shown}."
    if not present:
        text = "No replica uses this store now."
    elif len(present) == 1:
        text = f"One replica uses this store now: {shown}."
    yield Finding(Code.FLEET, Level.OK, "store.url", text, details=details)
    if len(versions) > 1:
        yield Finding(
            Code.FLEET_VERSIONS,
            Level.NOTICE,
            "store.url",
            f"Versions differ: {', '.join(versions)} (this program is {__version__}).",
            "That is well while an update is rolled out; finish it.",
            {"versions": versions},
        )


def _encryption(case: Case) -> Iterator[Finding]:
    settings = case.settings.store
    if settings.url == "memory:":
        return
    if settings.encryption_key_file is not None:
        text = f"Tokens are encrypted with the key in {settings.encryption_key_file}."
        yield Finding(Code.STORE_ENCRYPTED, Level.OK, "store.encryption_key_file", text)
    elif settings.redis is not None:
        yield Finding(
            Code.STORE_NOT_ENCRYPTED,
            Level.NOTICE,
            "store.encryption_key_file",
            "Who can read the database has the tokens: they are not encrypted.",
            "Set store.encryption_key_file in all replicas: docs/configuration.md says how, in a "
            "running fleet.",
        )


async def _server(case: Case) -> AsyncIterator[Finding]:
    """What Redis tells of itself."""
    facts = await wiring.redis_facts(case.settings)
    if facts is None:
        text = "Redis does not tell this user its version and its settings (INFO)."
        advice = "Nothing to do: the gateway needs no such right. Look at maxmemory-policy there."
        yield Finding(Code.STORE_SERVER_UNKNOWN, Level.NOTICE, "store.url", text, advice)
        return
    details = {"version": facts.version, "product": facts.product, "eviction": facts.eviction}
    number = re.match(r"\d+", facts.version)
    product = facts.product.capitalize()
    if number is not None and facts.product == "redis" and int(number[0]) < OLDEST:
        text = f"The store is Redis {facts.version}; the gateway needs {OLDEST} or newer."
        advice = "Update it, or use another (store.url)."
        yield Finding(Code.STORE_SERVER_OLD, Level.PROBLEM, "store.url", text, advice, details)
        return
    yield Finding(
        Code.STORE_SERVER,
        Level.OK,
        "store.url",
        f"The store is {product} {facts.version}.",
        details=details,
    )
    if facts.eviction.startswith("allkeys"):
        yield _evicts(facts.eviction, facts.maxmemory)
    if facts.saves is False:
        yield Finding(
            Code.STORE_FORGETS,
            Level.NOTICE,
            "store.url",
            f"{product} keeps nothing over a restart.",
            "A fleet that runs meanwhile puts its tokens back without a mint; if all restart "
            "together, each account mints once. Persistence (appendonly yes) spares that.",
        )


def _evicts(policy: str, limit: int) -> Finding:
    return Finding(
        Code.STORE_EVICTS,
        Level.WARNING if limit else Level.NOTICE,
        "store.url",
        f"When its memory is full, Redis may drop the tokens (maxmemory-policy {policy}"
        f"{'' if limit else ', but maxmemory sets no limit'}).",
        "Set maxmemory-policy noeviction, or volatile-lru if other programs' keys expire: the "
        "gateway's documents do not.",
        {"eviction": policy, "maxmemory": limit},
    )
