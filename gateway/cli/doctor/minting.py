"""The credentials, tried: a token in a slot, and a call with it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from gateway import wiring
from gateway.cli.doctor import calls
from gateway.cli.doctor.case import Case
from gateway.cli.doctor.codes import Code, of_mint
from gateway.cli.doctor.findings import Finding, Level, printable
from gateway.core.errors import MintError, MintFailure, UpstreamError
from gateway.core.secret import Secret
from gateway.core.token import Grant, SlotId
from gateway.core.verdict import Verdict, classify
from gateway.core.zoom_hosts import is_zooms
from gateway.ports import Minter
from gateway.settings import AccountSettings
from gateway.settings.urls import AUTO
from gateway.zoom.upstream import HttpUpstream

PATIENCE: Final = 10.0
"""Seconds for the answer to a call."""

MOST_WORDS: Final = 300
"""Characters of Zoom's own words that are shown."""

_ADVICE: Final = {
    MintFailure.INVALID_CLIENT: "Compare both with the app's page in the Zoom Marketplace, App "
    "Credentials: are they of the same app, complete, and was the secret rotated? The account id "
    "is not looked at before they are right.",
    MintFailure.INVALID_ACCOUNT: "Client id and secret are right. Copy the account id from the "
    "same page; the app must be a Server-to-Server OAuth app of that account, and activated.",
    MintFailure.INVALID_INDEX: "Take {index} out of token_indexes, or ask Zoom's support to raise "
    "the app's range; a second app does as well (docs/choosing-slots.md).",
    MintFailure.REFUSED: "Zoom's words say what it is; is upstream.token_url right?",
    MintFailure.RATE_LIMITED: "Find the programs that mint with this app, and point them at the "
    "gateway.",
    MintFailure.SERVER_ERROR: "Try again; see Zoom's status page.",
    MintFailure.MALFORMED: "Something may answer in Zoom's place: check upstream.token_url.",
    MintFailure.TIMEOUT: "Try again; if it stays so, raise token.mint_timeout. The token that this "
    "mint may have made is lost.",
    MintFailure.CONNECTION: "Check upstream.token_url, the firewall and the certificate.",
    MintFailure.BROKEN: "Try again; see Zoom's status page. The token that this mint may have made "
    "is lost.",
}


@dataclass(slots=True)
class Bench:
    """What mints and calls for one account."""

    case: Case
    account: str
    minter: Minter
    api: HttpUpstream
    minted: int = 0
    said: list[Finding] = field(default_factory=list)
    """Findings about the last mint."""

    def where(self, slot: SlotId) -> str:
        return f"accounts.{self.account}, slot {slot}"

    async def mint(self, slot: SlotId) -> Grant | None:
        """A token, and `said` about it; None: there was none."""
        self.minted += 1
        self.said = []
        try:
            async with asyncio.timeout(self.case.settings.token.mint_timeout):
                grant = await self.minter.mint(slot)
        except TimeoutError:
            seconds = self.case.settings.token.mint_timeout
            text = f"The token endpoint did not answer within {seconds:g} s; it may have minted."
            self.said = [self._failed(slot, MintError(MintFailure.TIMEOUT, text))]
            return None
        except MintError as error:
            self.said = [self._failed(slot, error)]
            return None
        self.said = list(self._granted(slot, grant))
        return grant

    def _failed(self, slot: SlotId, error: MintError) -> Finding:
        where = self.where(slot)
        text = f"{where}: no token. {error.message}".rstrip(".") + "."
        advice = _ADVICE[error.failure].format(index=slot.index)
        details = {} if error.retry_after is None else {"retry_after": error.retry_after}
        return Finding(of_mint(error.failure), Level.PROBLEM, where, text, advice, details)

    def _granted(self, slot: SlotId, grant: Grant) -> Iterator[Finding]:
        where, scopes = self.where(slot), grant.scope.split()
        # Any of the account's tokens may be the one that a call goes with.
        known = self.case.scopes.get(self.account, frozenset(scopes))
        self.case.scopes[self.account] = known & frozenset(scopes)
        text = f"{where}: Zoom gave a token for {grant.lifetime:.0f} s with {len(scopes)} scopes."
        details = {"lifetime": grant.lifetime, "scopes": scopes}
        yield Finding(Code.MINT_OK, Level.OK, where, text, details=details)
        if grant.previous_secret:
            yield Finding(
                Code.PREVIOUS_SECRET,
                Level.WARNING,
                where,
                f"{where}: Zoom takes only previous_client_secret.",
                "Correct client_secret before Zoom stops taking the previous one.",
            )
        upstream = self.case.settings.upstream
        configured = upstream.api_url
        if grant.api_url and configured != AUTO and _host(grant.api_url) != _host(configured):
            yield Finding(
                Code.API_URL_DIFFERS,
                Level.NOTICE,
                where,
                f"{where}: Zoom names {grant.api_url} as the account's API; upstream.api_url is "
                f"{configured}.",
                "Both work; the account's own is nearer to its data: upstream.api_url: auto takes it."
                if is_zooms(_host(grant.api_url) or "")
                else "That host is not Zoom's: nothing is ever sent there.",
                {"api_url": grant.api_url},
            )

    async def call(self, token: Secret) -> calls.Answer | None:
        """Call Zoom with a token; None: no answer."""
        path = self.case.settings.token.probe_path.encode()
        try:
            async with asyncio.timeout(PATIENCE):
                return await calls.get(self.api, path, token)
        except (TimeoutError, UpstreamError):
            return None


def tried(account: AccountSettings) -> tuple[SlotId, ...]:
    """One or two slots of one app: the first app that has two, or else the first.

    In these is tried what a mint does to the token before it.
    """
    app = max(account.apps, key=lambda one: min(2, len(one.token_indexes)))
    return tuple(SlotId(app.name, index) for index in app.token_indexes[:2])


async def mint_all(
    case: Case, accounts: tuple[str, ...], *, apart: bool = False
) -> AsyncIterator[Finding]:
    """A token in each slot (but those that are `tried`, if `apart`), and a call with it."""
    for name in accounts:
        account = case.settings.accounts[name]
        left_out = tried(account) if apart else ()
        slots = [slot for slot in wiring.identities(account) if slot not in left_out]
        async for finding in _mint_account(case, name, slots):
            yield finding


async def _mint_account(case: Case, name: str, slots: list[SlotId]) -> AsyncIterator[Finding]:
    account = case.settings.accounts[name]
    minter, api = wiring.minter(case.settings, account), wiring.upstream(case.settings)
    bench = Bench(case, name, minter, api)
    try:
        for slot in slots:
            grant = await bench.mint(slot)
            for finding in bench.said:
                yield finding
            if grant is not None:
                yield judge(bench, slot, await bench.call(grant.value))
    finally:
        await minter.close()
        await api.close()


def judge(bench: Bench, slot: SlotId, answer: calls.Answer | None) -> Finding:
    """What Zoom thinks of a token that it just issued."""
    where, call = bench.where(slot), f"GET {bench.case.settings.token.probe_path}"
    if answer is None:
        text, advice = f"{where}: {call} got no answer.", "Try again; see Zoom's status page."
        return Finding(Code.TOKEN_NO_ANSWER, Level.PROBLEM, where, text, advice)
    verdict, words = classify(answer.status, answer.body), _words(answer.body)
    details = {"status": answer.status, "message": words}
    if verdict.refuses:
        return Finding(
            Code.TOKEN_REFUSED,
            Level.PROBLEM,
            where,
            f"{where}: Zoom refuses the token it just issued for {call}.",
            "Is the app active in Zoom's marketplace, and who owns it? Does another program mint "
            "with the same credentials?",
            details,
        )
    if _lacks_scopes(answer, words):
        return _scopes_missing(where, call, details)
    if verdict is Verdict.ACCEPTED:
        text = f"{where}: Zoom takes the token for {call}."
        return Finding(Code.TOKEN_ACCEPTED, Level.OK, where, text, details=details)
    return Finding(
        Code.TOKEN_UNCLEAR,
        Level.WARNING,
        where,
        f"{where}: {call} was answered with status {answer.status}, which does not tell whether "
        "Zoom takes the token.",
        "Try again; if it stays so, choose another token.probe_path.",
        details,
    )


def _host(url: str) -> str | None:
    """None: there is none in it, or it is no URL."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


_NO_RIGHT: Final = {4711, 4700, 104, 200}
"""Codes of Zoom under which the app may not make this call, whatever its token."""


def _lacks_scopes(answer: calls.Answer, words: str) -> bool:
    if answer.status not in {400, 401, 403}:
        return False
    return "does not contain" in words.lower() or _code(answer.body) in _NO_RIGHT


def _scopes_missing(where: str, call: str, details: dict[str, object]) -> Finding:
    return Finding(
        Code.SCOPES_MISSING,
        Level.WARNING,
        where,
        f"{where}: the token is good, but the app may not call {call}. Zoom says: "
        f'"{details["message"]}"',
        "Add that scope to the app in the Zoom Marketplace (it counts for tokens minted after), "
        "or choose a token.probe_path that the app may call.",
        details,
    )


def _code(body: bytes) -> object:
    return _content(body).get("code")


def _words(body: bytes) -> str:
    """Zoom's message. Its answers to a GET repeat no credential."""
    said = _content(body).get("message")
    return printable(said[:MOST_WORDS]) if isinstance(said, str) else ""


def _content(body: bytes) -> dict[str, object]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
