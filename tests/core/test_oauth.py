"""What is asked of the token endpoint, and what its answers mean."""

import base64
import json
from email.utils import formatdate

import pytest

from gateway.core.errors import MintError, MintFailure
from gateway.core.oauth import (
    MAX_LIFETIME,
    MAX_RETRY_AFTER,
    TokenAnswer,
    TokenRequest,
    read_answer,
    read_retry_after,
)
from gateway.core.secret import Secret
from gateway.core.token import Grant

SECRET = "hush/hush+1"
NOW = 1_590_883_200.0  # 2020-05-31T00:00:00Z


def request(index: int = 0) -> TokenRequest:
    return TokenRequest("main", "acc ount&1", index, "client", Secret(SECRET))


def answer(status: int, content: object, **kwargs: str) -> TokenAnswer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return TokenAnswer(status, body, **kwargs)


def grant(**changes: object) -> Grant:
    content = {"access_token": "eyJ.a-b_c", "token_type": "bearer", "expires_in": 3599}
    return read_answer(request(), answer(200, content | changes), NOW)


def failure(sent: TokenRequest, received: TokenAnswer) -> MintError:
    with pytest.raises(MintError) as caught:
        read_answer(sent, received, NOW)
    assert SECRET not in str(caught.value)
    assert "{" not in str(caught.value)
    return caught.value


def test_the_request_is_a_form_with_the_client_in_the_header() -> None:
    assert request().body == b"grant_type=account_credentials&account_id=acc+ount%261"
    headers = request().headers
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    scheme, _, pair = headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(pair)) == ("Basic", f"client:{SECRET}".encode())


def test_the_index_is_sent_only_if_it_is_not_the_default_slot() -> None:
    assert b"token_index" not in request(0).body
    assert request(2).body.endswith(b"&token_index=2")


def test_no_repr_shows_a_secret() -> None:
    assert SECRET not in repr(request())
    assert "eyJ" not in repr(answer(200, {"access_token": "eyJ"}))


def test_a_good_answer() -> None:
    good = grant(scope="user:read meeting:read", api_url="https://api-eu.zoom.us")
    assert good == Grant(
        Secret("eyJ.a-b_c"), 3599.0, "user:read meeting:read", "https://api-eu.zoom.us"
    )


@pytest.mark.parametrize("token", ["zoom-gateway", "zoom-gateway.sales"])
def test_a_placeholder_is_a_gateways_and_no_token(token: str) -> None:
    with pytest.raises(MintError, match="is a gateway such as this one") as caught:
        grant(access_token=token)
    assert caught.value.failure is MintFailure.REFUSED
    assert grant(access_token="zoom-gateways").value.reveal() == "zoom-gateways"


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (3600, 3600.0),
        ("3599", 3599.0),
        (1.5, 1.5),
        (1, 1.0),
        ("1.0", 1.0),
        (MAX_LIFETIME - 1, MAX_LIFETIME - 1),
        (MAX_LIFETIME + 1, MAX_LIFETIME),
        (10**12, MAX_LIFETIME),
        ("9" * 18, MAX_LIFETIME),
        (1e308, MAX_LIFETIME),
    ],
)
def test_lives(given: object, seconds: float) -> None:
    assert grant(expires_in=given).lifetime == seconds


@pytest.mark.parametrize("odd", [None, 5, ["user:read"]])
def test_an_odd_scope_or_api_url_is_left_out(odd: object) -> None:
    assert (grant(scope=odd).scope, grant(api_url=odd).api_url) == ("", None)
    assert grant(api_url="").api_url is None


@pytest.mark.parametrize("token", [None, "", 5, "a b", "a\nb", "a\x7f", "ä", "a\0", " ", "tok\r\n"])
def test_a_token_that_fits_into_no_header_is_none(token: object) -> None:
    with pytest.raises(MintError, match="access_token") as caught:
        grant(access_token=token)
    assert caught.value.failure is MintFailure.MALFORMED


@pytest.mark.parametrize(
    "lifetime",
    [None, 0, -1, True, "", "soon", "-5", "1_000", "inf", float("inf"), float("nan"), 10**400, []],
)
def test_a_life_that_is_none(lifetime: object) -> None:
    with pytest.raises(MintError, match="expires_in") as caught:
        grant(expires_in=lifetime)
    assert caught.value.failure is MintFailure.MALFORMED


@pytest.mark.parametrize("lifetime", [0.999, "0.5", 5e-324, "0.000000001"])
def test_a_life_that_is_too_short(lifetime: object) -> None:
    with pytest.raises(MintError, match="expires_in is too short to be used") as caught:
        grant(expires_in=lifetime)
    assert caught.value.failure is MintFailure.MALFORMED


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'"token"', b"{", b"\xff\xfe", b"[" * 60_000, b'{"code":4717}'],
)
@pytest.mark.parametrize("status", [200, 204])
def test_a_yes_without_a_token(status: int, body: bytes) -> None:
    assert failure(request(), answer(status, body)).failure is MintFailure.MALFORMED


INVALID_CLIENT = {"reason": "Invalid client_id or client_secret", "error": "invalid_client"}
BAD_REQUEST = {"reason": "Bad request", "error": "invalid_request"}
OUT_OF_RANGE = {
    "reason": "Invalid request : Maximum group number limit exceeded",
    "error": "invalid_request",
}
NOT_ALLOWED = {"reason": "Invalid Grant", "error": "invalid_request"}
WRONG_GRANT = {"reason": "unsupported grant type", "error": "unsupported_grant_type"}
DISABLED = {"code": 4717, "message": "The app has been disabled."}
PAGE = b"\n<!doctype html><title>Zoom</title>"


@pytest.mark.parametrize(
    ("index", "status", "content", "expected", "words"),
    [
        (0, 400, INVALID_CLIENT, MintFailure.INVALID_CLIENT, "check client_id and client_secret"),
        (0, 401, INVALID_CLIENT, MintFailure.INVALID_CLIENT, "of app 'main'"),
        (0, 400, {"error": "invalid_client"}, MintFailure.INVALID_CLIENT, "client"),
        (0, 400, INVALID_CLIENT | {"error": ""}, MintFailure.INVALID_CLIENT, "client"),
        (0, 401, b"", MintFailure.INVALID_CLIENT, "client"),
        (0, 401, {"error": "unauthorized"}, MintFailure.REFUSED, "401"),
        (1, 400, OUT_OF_RANGE, MintFailure.INVALID_INDEX, "token index 1 of app 'main'"),
        (1, 400, NOT_ALLOWED, MintFailure.INVALID_INDEX, "token_indexes"),
        (0, 400, OUT_OF_RANGE, MintFailure.REFUSED, "Maximum group number"),
        (0, 400, NOT_ALLOWED, MintFailure.REFUSED, "Invalid Grant"),
        (1, 500, NOT_ALLOWED, MintFailure.SERVER_ERROR, "500"),
        (0, 400, BAD_REQUEST, MintFailure.INVALID_ACCOUNT, "check account_id"),
        (1, 400, BAD_REQUEST, MintFailure.INVALID_ACCOUNT, "check account_id"),
        (0, 500, BAD_REQUEST, MintFailure.SERVER_ERROR, "500"),
        (0, 400, DISABLED, MintFailure.INVALID_ACCOUNT, "activate it"),
        (0, 403, {"reason": "The app has been disabled"}, MintFailure.INVALID_ACCOUNT, "activate"),
        (0, 400, DISABLED | {"message": 5}, MintFailure.INVALID_ACCOUNT, "activate"),
        (0, 400, WRONG_GRANT, MintFailure.REFUSED, "unsupported grant type"),
        (0, 404, b"", MintFailure.REFUSED, "404"),
        (0, 302, b"", MintFailure.REFUSED, "token_url"),
        (0, 429, {}, MintFailure.RATE_LIMITED, "429"),
        (0, 429, INVALID_CLIENT, MintFailure.RATE_LIMITED, "429"),
        (0, 429, PAGE, MintFailure.RATE_LIMITED, "429"),
        (0, 500, INVALID_CLIENT, MintFailure.SERVER_ERROR, "500"),
        (0, 503, b"", MintFailure.SERVER_ERROR, "503"),
        (0, 502, PAGE, MintFailure.SERVER_ERROR, "web page"),
        (0, 401, PAGE, MintFailure.SERVER_ERROR, "web page"),
        (0, 403, PAGE, MintFailure.SERVER_ERROR, "web page"),
        (0, 200, PAGE, MintFailure.SERVER_ERROR, "web page"),
    ],
)
def test_failures(
    index: int, status: int, content: object, expected: MintFailure, words: str
) -> None:
    error = failure(request(index), answer(status, content))
    assert (error.failure, error.retry_after) == (expected, None)
    assert words in str(error)


def test_a_page_is_known_by_its_type_too_but_json_is_json_whatever_its_type() -> None:
    page = answer(200, b"Please log in", content_type="text/HTML; charset=utf-8")
    assert failure(request(), page).failure is MintFailure.SERVER_ERROR
    json_error = answer(400, INVALID_CLIENT, content_type="text/html")
    assert failure(request(), json_error).failure is MintFailure.INVALID_CLIENT
    token = answer(200, {"access_token": "t", "expires_in": 5}, content_type="text/html")
    assert read_answer(request(), token, NOW).lifetime == 5


def test_zooms_own_words_are_passed_on_cut_and_printable() -> None:
    said = {"reason": "No\r\n\x1b[31m way " + "very " * 100, "error": "x"}
    message = str(failure(request(), answer(400, said)))
    words = message.partition('Zoom says: "')[2]
    assert words.startswith("No[31m way very very")
    assert len(words) == 201
    assert message.isprintable()


@pytest.mark.parametrize(
    "leak",
    [
        {"reason": f"client_secret {SECRET} is wrong"},
        {"reason": "client_secret hush%2Fhush%2B1 is wrong"},
        {"reason": "Basic " + base64.b64encode(f"client:{SECRET}".encode()).decode()},
        {"error": "bad eyJhbGciOiJIUzUxMiJ9.eyJ2ZXIiOjl9.c2lnbmF0dXJl"},
        {"reason": "hm", "access_token": "eyJ"},
    ],
)
def test_words_that_may_hold_a_secret_are_left_out(leak: dict[str, str]) -> None:
    assert "Zoom says" not in str(failure(request(), answer(400, leak)))


def test_an_empty_secret_hides_nothing() -> None:
    sent = TokenRequest("main", "account", 0, "client", Secret(""))
    assert "Zoom says" in str(failure(sent, answer(400, WRONG_GRANT)))


def test_retry_after_goes_along() -> None:
    assert failure(request(), answer(503, b"", retry_after="7")).retry_after == 7


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("99999999-01-01", None),
        ("0", 0),
        (" 30 ", 30),
        ("1.5", 1.5),
        ("999999", MAX_RETRY_AFTER),
        ("2020-05-31T00:00:20Z", 20),
        ("2020-05-31T02:00:20+02:00", 20),
        ("2020-05-31T00:00:20", 20),
        ("2020-05-30T00:00:00Z", 0),
        ("2021-05-31T00:00:00Z", MAX_RETRY_AFTER),
        (formatdate(NOW + 60, usegmt=True), 60),
        ("Sun, 31 May 2020 00:01:00 -0000", 60),
        ("Sun, 31 May 99999 00:01:00 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert read_retry_after(value, NOW) == seconds
