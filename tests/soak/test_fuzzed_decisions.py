"""The decisions about a call, its answer and its token, on whatever chance brings up.

Each holds what the rest relies on, and raises nothing but what it says.
"""

import json
import re
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import unquote_to_bytes

from hypothesis import HealthCheck, given, settings
from hypothesis import seed as starts_at
from hypothesis import strategies as st

from gateway.core.caller import caller_at
from gateway.core.document import decode
from gateway.core.errors import (
    CallRefusedError,
    MintError,
    StoreContentError,
    StoreFormatError,
    UpstreamBrokenError,
)
from gateway.core.headers import (
    CHUNKED,
    authorized,
    for_upstream,
    framing,
    read_answer,
    read_caller,
)
from gateway.core.oauth import (
    MAX_LIFETIME,
    MAX_RETRY_AFTER,
    TokenAnswer,
    TokenRequest,
    read_retry_after,
)
from gateway.core.oauth import read_answer as read_token
from gateway.core.policy import DEFAULT, SPELLING, Policy, Rule
from gateway.core.request_id import request_id
from gateway.core.routes import Endpoints, Operation, RouteTable
from gateway.core.secret import Secret
from gateway.core.spelling import with_whole_uuids
from gateway.core.target import MAX_TARGET, Emulated, chosen_account, read_target
from gateway.core.trace import begin, carried, read_context
from gateway.core.verdict import BODY_LIMIT, Verdict, classify, decode_body, needs_body
from gateway.ports import UpstreamRequest
from gateway.zoom.upstream.head import encode_head
from gateway.zoom.upstream.reader import AnswerReader
from tests.core.strategies import json_values
from tests.core.test_document import CANARY, IDENTITIES, every_path, parent, stored
from tests.soak import wild
from tests.soak.length import fresh_seed, pick
from tests.soak.mutations import ANSWERS, Mutator

T = TypeVar("T", bound=Callable[..., None])

TOKEN: Final = "the.one-token"
OURS: Final = (b"Authorization", b"Bearer the.one-token")
BREAKS: Final = re.compile(rb"[\r\n\0]")
HOP: Final = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"te"),
        *(b"trailer", b"transfer-encoding", b"upgrade", b"proxy-authenticate"),
    }
)
INSIDE: Final = frozenset(
    {b"cookie", b"forwarded", b"x-real-ip", b"x-zoom-account", b"http2-settings", b"expect"}
)


def often(test: T) -> T:
    """Many examples; one that fails is printed, with what makes it again."""
    budget = settings(
        max_examples=pick(400, 10_000),
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    return starts_at(fresh_seed())(budget(test))


def told(refusal: CallRefusedError, statuses: set[int], *, close: bool = False) -> None:
    assert refusal.status in statuses
    assert refusal.close or not close
    assert refusal.message.isprintable()


def shows_nothing(error: Exception, secret: str) -> None:
    assert secret not in str(error)
    assert str(error).isprintable()


def resolved(path: bytes) -> list[bytes]:
    """A path as a lenient server reads it."""
    for _ in range(5):
        path = unquote_to_bytes(path)
    parts: list[bytes] = []
    for part in re.split(rb"[/\\]+", re.split(rb"[?#]", path)[0]):
        name = part.split(b";")[0].strip(b"\0\t\n\r\x0b\x0c ").lower()
        if name == b"..":
            parts = parts[:-1]
        elif name not in {b"", b"."}:
            parts.append(name)
    return parts


@often
@given(wild.targets | wild.spellings, wild.hosts, wild.values, wild.values)
def test_targets(
    raw: bytes, host: bytes | None, names: list[bytes], authorizations: list[bytes]
) -> None:
    try:
        target = read_target(raw, host)
        account = chosen_account(target, names, authorizations)
    except CallRefusedError as error:
        told(error, {400, 404, 414, 421})
        return
    upstream = target.upstream
    assert re.fullmatch(rb"/[\x21-\x22\x24-\x7e]*", upstream)
    assert len(upstream) <= MAX_TARGET + 1
    # It is the end of what came: nothing was decoded, joined or put in.
    assert raw.endswith((upstream, upstream[1:]))
    assert target.path == upstream.split(b"?")[0]
    if resolved(target.path) in ([b"oauth", b"token"], [b"oauth", b"revoke"]):
        assert target.emulated in (Emulated.TOKEN, Emulated.REVOKE)
    if target.account is None:
        assert not b"".join(resolved(target.path)[:1]).startswith(b"@")
    said = {target.account, *(name.decode("latin-1") for name in names), None}
    assert account in said or f"zoom-gateway.{account}" in str(authorizations)


@often
@given(wild.fields, st.booleans())
def test_callers_headers(fields: list[wild.Field], http11: bool) -> None:  # noqa: FBT001  drawn
    try:
        caller = read_caller(fields)
        frame = framing(caller, http11=http11)
    except CallRefusedError as error:
        told(error, {400, 431, 501}, close=True)
        return
    sent = authorized(for_upstream(caller, b"api.zoom.us", frame), TOKEN)
    names = [name.lower() for name, _ in sent]
    assert sent[-1] == OURS
    assert names.count(b"authorization") == 1
    assert [value for name, value in sent if name.lower() == b"host"] == [b"api.zoom.us"]
    assert names.count(b"content-length") + names.count(b"transfer-encoding") == (frame is not None)
    assert not (HOP - {b"transfer-encoding"}) & set(names)
    assert not INSIDE & set(names)
    assert not any(name.startswith(b"x-forwarded-") for name in names)
    if frame is not None and frame != CHUNKED:
        assert frame[1].isdigit()
        assert int(frame[1]) < 2**63
    _one_line_each(sent, frame)


def _one_line_each(sent: list[wild.Field], frame: wild.Field | None) -> None:
    """On the wire each field is one line, and nothing else is."""
    body = None if frame is None else _NoChunks()
    head, _ = encode_head(UpstreamRequest("POST", b"/v2/x", sent, body))
    first, *lines, end, rest = head.split(b"\r\n")
    assert (first, end, rest) == (b"POST /v2/x HTTP/1.1", b"", b"")
    assert lines == [b"%b: %b" % field for field in sent]
    assert not any(BREAKS.search(line) for line in lines)


class _NoChunks:
    """A body of which nobody asks for anything."""

    def __aiter__(self) -> "_NoChunks":
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration


@often
@given(wild.fields)
def test_answers_headers(fields: list[wild.Field]) -> None:
    try:
        answer = read_answer(fields)
    except UpstreamBrokenError:
        return
    names = [name.lower() for name, _ in answer.kept]
    assert not (HOP | {b"set-cookie", b"x-request-id", b"x-zoom-gateway-error"}) & set(names)
    assert names.count(b"content-length") == (answer.length is not None)
    assert not any(BREAKS.search(name + value) for name, value in answer.kept)
    assert set(answer.kept) <= set(fields) | {(b"Content-Length", b"%d" % (answer.length or 0))}


bodies = (
    st.binary(max_size=200)
    | wild.bombs
    | wild.documents.map(lambda document: json.dumps(document).encode())
    | st.just(b"[" * 100_000)
)


@often
@given(st.integers(100, 999), bodies, wild.encodings, wild.methods)
def test_verdicts(status: int, body: bytes, encoding: bytes, method: str) -> None:
    decoded = decode_body(encoding, body)
    assert len(decoded) <= BODY_LIMIT
    verdict = classify(status, decoded)
    if verdict.refuses:
        assert status in {400, 401}
    if 200 <= status < 300:
        assert verdict is Verdict.ACCEPTED
    if status == 429 or status >= 500 or 300 <= status < 400:
        assert verdict is Verdict.UNKNOWN
    assert not (method == "HEAD" and needs_body(status, method, b"application/json"))


@often
@given(wild.values)
def test_request_ids(values: list[bytes]) -> None:
    found = request_id(values, lambda: "fresh")
    assert re.fullmatch(r"[A-Za-z0-9._~+/=:@-]{1,128}", found)
    assert found == "fresh" or [found.encode()] == values


@often
@given(wild.fields, st.floats(0, 1))
def test_traces(fields: list[wild.Field], share: float) -> None:
    try:
        caller = read_caller(fields)
    except CallRefusedError:
        return
    context = read_context(caller)
    trace = begin(caller, share, lambda size: 2**size - 1, 0.0)
    if context is not None:
        assert re.fullmatch(r"[0-9a-f]{32}", context.trace_id)
        assert trace.context.trace_id == context.trace_id
    for told in (trace, None):
        for name, value in carried(caller, told):
            assert name in {b"traceparent", b"tracestate", b"baggage"}
            assert not BREAKS.search(value)
    assert len([name for name, _ in carried(caller, trace) if name == b"traceparent"]) == 1


TEMPLATES: Final = ("/v2/users/{userId}", "/v2/users/{userId}/meetings", "/v2/{a}/x")
TABLE: Final = RouteTable(Operation(path, "GET", "p", "o", None, ()) for path in TEMPLATES)


@often
@given(wild.targets, wild.methods | st.text(max_size=5))
def test_routes(raw: bytes, method: str) -> None:
    endpoints = Endpoints(TABLE, 5)
    endpoint = endpoints.endpoint(method, raw)
    assert endpoint.route in {*TEMPLATES, "other"}
    assert endpoint.method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"}
    assert re.fullmatch(r"[A-Za-z]+ (/v2/[A-Za-z{}/]+|#[0-9a-f]{16})", endpoint.key)


USERS: Final = tuple(
    Operation(path, method, "users", name, None, ())
    for method, path, name in (
        ("GET", "/v2/users", "users"),
        ("GET", "/v2/users/{userId}", "user"),
        ("DELETE", "/v2/users/{userId}", "userDelete"),
        ("GET", "/v2/users/summary", "summary"),
        ("DELETE", "/v2/users/{userId}/assistants/{assistantId}", "assistantDelete"),
    )
)
ANYBODY: Final = caller_at("192.0.2.7")
JUDGING: Final = 1.0
"""Seconds of the processor for one decision; the dearest take some hundredths."""


def judges(*rules: Rule, allows: bool) -> Policy:
    return Policy(rules, default_allows=allows, operations=USERS)


def to_read_users() -> Policy:
    reading = Rule("read", methods=frozenset({"GET"}), operations=("/v2/users/{userId}",))
    return judges(reading, allows=False)


READ: Final = to_read_users()
KEEP: Final = judges(Rule("keep", allows=False, operations=("userDelete",)), allows=True)


def of_one_user(path: bytes) -> bool:
    """Whether a lenient server takes it for the path of one user."""
    steps = resolved(path)
    return steps[:2] == [b"v2", b"users"] and len(steps) == 3


@often
@given(wild.paths, st.sampled_from(["GET", "DELETE"]) | wild.methods | st.text(max_size=8))
def test_rules(path: bytes, method: str) -> None:
    for policy in (READ, KEEP):
        began = time.thread_time()
        decision = policy.decide(ANYBODY, None, "default", method, path)
        assert time.thread_time() - began < JUDGING
        assert decision.rule in {DEFAULT, SPELLING, policy.rules[0].rule.name}
        assert policy.decide(ANYBODY, None, "default", method, path) == decision
    # One that remembers nothing says the same.
    found = to_read_users().decide(ANYBODY, None, "default", method, path)
    assert found == READ.decide(ANYBODY, None, "default", method, path)
    if found.allowed:
        # A UUID may have slashes inside.
        assert of_one_user(path) or with_whole_uuids(path.decode("latin-1")) is not None
        assert method in {"GET", "HEAD"}
    if method == "DELETE" and of_one_user(path):
        assert not KEEP.decide(ANYBODY, None, "default", method, path).allowed


SECRET: Final = "s3cr3t/of+the=app"


@often
@given(
    st.integers(100, 999),
    bodies | st.just(json.dumps({"reason": f"no: {SECRET}"}).encode()),
    st.sampled_from(["", "application/json", "text/html"]),
    st.none() | st.text(max_size=40) | st.sampled_from(["7", "1e9", "9999-12-31T23:59:59Z"]),
    st.floats(-1e12, 1e12),
)
def test_answers_of_the_token_endpoint(
    status: int, body: bytes, kind: str, retry_after: str | None, now: float
) -> None:
    request = TokenRequest("app", "account", 3, "client", Secret(SECRET))
    seconds = read_retry_after(retry_after, now)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER
    try:
        grant = read_token(request, TokenAnswer(status, body, kind, retry_after), now)
    except MintError as error:
        shows_nothing(error, SECRET)
        return
    assert 200 <= status < 300
    assert 1 <= grant.lifetime <= MAX_LIFETIME
    assert re.fullmatch(r"[\x21-\x7e]+", grant.value.reveal())


PATHS: Final = list(every_path(stored()))


@often
@given(st.lists(st.tuples(st.sampled_from(PATHS), json_values), max_size=3), st.floats(-1e9, 1e9))
def test_stored_documents(changes: list[tuple[Any, Any]], delta: float) -> None:
    document = stored()
    for path, value in changes:
        try:
            parent(document, path)[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # another change took its place away
    try:
        account = decode(document, IDENTITIES, delta)
    except (StoreContentError, StoreFormatError) as error:
        shows_nothing(error, CANARY)
        return
    for slot in account.slots:
        if slot.token is not None:
            assert slot.token.expires_at > slot.token.issued_at
            assert re.fullmatch(r"[\x21-\x7e]+", slot.token.value.reveal())


def read(pieces: list[bytes], *, head_only: bool) -> tuple[int, list[wild.Field], bytes] | None:
    """What an answer comes to; None if it is none, or is not complete at the connection's end."""
    reader = AnswerReader()
    reader.begin(head_only=head_only)
    try:
        for piece in pieces:
            reader.feed(piece)
        reader.end()
    except UpstreamBrokenError:
        return None
    if reader.overrun:
        return None
    return reader.status, reader.headers, b"".join(reader.chunks)


@often
@given(st.randoms(use_true_random=False), st.booleans())
def test_bytes_of_answers(chance: Any, head_only: bool) -> None:  # noqa: FBT001  drawn
    mutator = Mutator(ANSWERS, chance)
    data = mutator.fresh()
    whole = read([data], head_only=head_only)
    # However it is cut into packets.
    assert read(mutator.pieces(data), head_only=head_only) == whole
    if whole is not None:
        assert 200 <= whole[0] < 1000
