"""One of each kind of line that the gateway can write."""

import errno
import logging

from structlog.typing import FilteringBoundLogger

from gateway.core.diagnosis import holdoff_sentence
from gateway.core.errors import MintFailure
from gateway.core.events import (
    Adopted,
    EndpointSuspected,
    ForeignMint,
    HoldoffBegan,
    HoldoffEnded,
    LostMint,
    Minted,
    MintFailed,
    PutBack,
    RefusalCause,
    Refused,
    SlotOut,
    SlotsLinked,
    StoreDown,
    StoreUp,
    Switched,
    TokenEvent,
)
from gateway.core.lacks import Lack
from gateway.core.rate_use import Errors
from gateway.core.ratelimit import Kind, Limited
from gateway.core.token import Cause
from gateway.core.trace import CallTrace, TraceContext
from gateway.observe.access_log import AccessLog
from gateway.observe.gateway_log import GatewayLog, WorkersLog
from gateway.observe.token_log import TokenLog
from gateway.reports import CallReport, ReplayOutcome, RetryOutcome, Throttling
from tests.observe.charts import A0, A1


def minted(*, previous_secret: bool = False) -> Minted:
    return Minted(A0, Cause.START, 1, 3600.0, previous_secret=previous_secret, took=0.25)


def mint_failed(failure: MintFailure) -> MintFailed:
    return MintFailed(A0, Cause.EXPIRY, failure, "Zoom answers 503.", 0.5)


EVERY: list[tuple[TokenEvent, str, str, str]] = [
    (minted(), "info", "token_minted", "Minted token 1 in slot default/0 (start), good for 1 h."),
    (minted(previous_secret=True), "warning", "token_minted", "only the previous client secret"),
    (
        Adopted(A0, Cause.ROTATION, 2, "gw-2"),
        "debug",
        "token_adopted",
        "Replica gw-2 minted token 2 in slot default/0 (rotation); it is used here, too.",
    ),
    (
        mint_failed(MintFailure.SERVER_ERROR),
        "warning",
        "mint_failed",
        "slot default/0: Zoom answers 503. The next try is in 0.5 s.",
    ),
    (mint_failed(MintFailure.INVALID_CLIENT), "error", "mint_failed", "No retry cures this"),
    (Switched(1, A0), "info", "token_switched", "The spare token 1 of slot default/0"),
    (
        ForeignMint(4, A0),
        "warning",
        "foreign_mint",
        "Another program mints with these credentials: it killed token 4",
    ),
    (SlotOut(A1, "out of range"), "warning", "slot_out", "Slot default/1 is out"),
    (SlotsLinked((A0, A1)), "warning", "slots_linked", "treated as one"),
    (
        EndpointSuspected("GET /v2/users/{userId}", 600.0),
        "warning",
        "endpoint_suspected",
        "GET /v2/users/{userId} refuses a token that is alive",
    ),
    (HoldoffBegan(3, 2.0, 8.0), "error", "holdoff_began", holdoff_sentence(2.0)),
    (HoldoffEnded(3), "info", "holdoff_ended", "Zoom accepts token 3"),
    (LostMint(A0), "warning", "mint_lost", "Zoom may have made a token that nobody holds"),
    (StoreDown("no space left"), "warning", "store_down", "no space left"),
    (StoreUp(), "info", "store_up", "works again"),
    (PutBack(7), "warning", "store_put_back", "generation 7 is back in it"),
]


def calls() -> list[CallReport]:
    route = "/v2/users/{userId}/meetings"
    good = CallReport("0f8e7c52", "10.1.4.17", "default", "GET", route, 200, 0.1874, 0.1852, 0.0)
    good.generation, good.bytes_out, good.tracking_id = 5, 1843, "v=2.0;clid=us04;rid=WEB_1f"
    replayed = CallReport("9a01bb3d", "10.1.4.17", "default", "POST", route, 201, 0.9, 0.4, 0.42)
    replayed.generation, replayed.replays, replayed.outcome = 6, 1, ReplayOutcome.RECOVERED
    replayed.bytes_in, replayed.bytes_out = 512, 2210
    traced = CallReport("c1d9a7f0", "10.1.4.17", "default", "GET", route, 200, 0.2, 0.199, 0.0)
    traced.generation, traced.bytes_out = 6, 1843
    context = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)
    traced.trace = CallTrace(context)
    failed = CallReport("77d2c0ee", "10.1.4.20", "default", "GET", "other", 503, 8.0, 0.0, 8.0)
    failed.bytes_out, failed.error = 121, "token_unavailable"
    denied = CallReport("5be0d1a4", "10.1.4.21", "default", "DELETE", "/v2/users/{userId}", 403)
    denied.bytes_out, denied.error = 190, "not_allowed"
    denied.denied, denied.rule = "rule", "no-deletions"
    known = CallReport("5be1a0d3", "10.1.4.17", "default", "GET", route, 200, 0.2, 0.199, 0.0)
    known.generation, known.bytes_out = 6, 1843
    known.caller_name = "spiffe://cluster.local/ns/reports/sa/nightly"
    unreached = CallReport("ae11d0f3", "10.1.4.17", "default", "GET", route, 502, 0.01, 0.0, 0.0)
    unreached.generation, unreached.bytes_out, unreached.error = 6, 207, "upstream_connect"
    unreached.reason = "Zoom cannot be reached at api.zoom.us:443: Connection refused"
    fetched = CallReport("b3f07a55", "10.1.4.17", "default", "GET", "other", 200, 41.2, 41.1, 0.0)
    fetched.generation, fetched.bytes_out, fetched.host = 6, 734003200, "us02web.zoom.us"
    limited = CallReport("d0c4a117", "10.1.4.17", "default", "GET", route, 429, 1.4, 0.31, 0.0)
    limited.generation, limited.bytes_out, limited.key = 6, 96, "reports"
    story = Limited("medium", Kind.PER_SECOND, None)
    limited.throttling = Throttling([story, story], 1, RetryOutcome.LIMITED)
    limited.pace_wait = 0.25
    lacking = CallReport("1c0ffee2", "10.1.4.17", "default", "GET", "/v2/users", 400, 0.1, 0.1, 0.0)
    lacking.generation, lacking.bytes_out, lacking.lacking = 6, 98, ("user:read:list_users:admin",)
    return [good, replayed, traced, failed, denied, known, unreached, fetched, limited, lacking]


def chosen_call() -> CallReport:
    """One that stands for others, where a half is written."""
    call = calls()[0]
    call.request_id = "7d3c0e12"
    return call


def write_all(log: FilteringBoundLogger) -> None:
    """Write at least one line of every kind and form."""
    access, tokens, gateway = AccessLog(log), TokenLog(log, never), GatewayLog(log, never)
    gateway.started("0.1.0", "127.0.0.1:8080", "127.0.0.1:9090", "memory", ["default"])
    proxy = "proxy.example:3128"
    gateway.started("0.1.0", "127.0.0.1:8080", "127.0.0.1:9090", "memory", ["default"], proxy)
    for call in calls():
        access.call_ended(call)
    AccessLog(log, 0.5).call_ended(chosen_call())
    for event, *_ in EVERY:
        tokens.token_event("default", event)
    tokens.token_event("default", Refused(5, "GET /v2/users/{userId}", RefusalCause.TOKEN))
    gateway.store_file_set_aside(
        "the token file /tokens/default.json cannot be read (it is no JSON); it was kept as "
        "/tokens/default.json.1"
    )
    gateway.key_unreadable("reports.key_file: /run/keys/reports cannot be read: No such file")
    gateway.ca_file_unusable(
        "upstream.ca_file: /etc/ca.pem holds no CA certificate in PEM, or cannot be read. What it "
        "held before stays in force"
    )
    gateway.api_url_ignored("default", "https://api.zoom.us.example")
    gateway.spans_lost("ConnectionError")
    gateway.no_replay_directory(None, 1_048_576, OSError(errno.EROFS, "Read-only file system"))
    gateway.rotation_requested("default", "10.1.4.17", began=True)
    borrower = calls()[5]
    borrower.rule = "socket"
    gateway.real_token_given(borrower, "default", 5)
    scopes = ("user:read:list_users:admin",)
    gateway.scope_missing("default", Lack("GET", "/v2/users", scopes, 0.0, 0.0, 1, 5, 0.0))
    gateway.body_not_kept(OSError(errno.ENOSPC, "No space left on device"))
    gateway.limit_reached("calls", 1000)
    gateway.limit_reached("keepalive_timeout", 620.0)  # no line
    gateway.descriptors_exhausted()
    gateway.error_ratio_high("default", Errors(60, 1200, 300))
    gateway.error_ratio_normal("default")
    gateway.unknown_account_id("abc123")
    try:
        cause = ValueError("nor is this")
        raise LookupError("a text that is not shown") from cause  # noqa: TRY301  an example
    except LookupError as error:
        gateway.defect(error)
    logging.getLogger("aiohttp.server").error("Error handling request from %s", "10.1.4.17")
    names, expires = ["gateway.example.com"], "2027-01-31T12:00:00Z"
    gateway.tls.reloaded(names, expires)
    gateway.tls.reload_failed(["tls.key_file: /tls/tls.key holds no private key in PEM"])
    gateway.tls.certificate_old(names, expires, "due")
    gateway.tls.handshake_failed("bad_certificate", "10.1.4.17", "certificate has expired")
    gateway.reloaded(["token", "accounts.sales"])
    gateway.reload_failed(["token.rotate_at: must be auto, or a share of the life"])
    gateway.restart_needed(["listen.port"])
    write_of_workers(WorkersLog(log))
    gateway.draining("SIGTERM", 3)
    gateway.stopped(0)
    gateway.stopped(2)


def write_of_workers(workers: WorkersLog) -> None:
    workers.started(2, 4711)
    workers.died(2, 4711, -9, "", 0.0)
    workers.died(2, 4712, 1, "", 2.0)
    workers.died(2, 0, 1, "Cannot allocate memory", 4.0)
    workers.killed(2, 4713)


def never(*_: object) -> None:
    """Stands for a timer."""
