"""`ratelimit.pace`: a plan's name or numbers, and each account's own."""

from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.core.plans import PLANS, Limit
from gateway.settings import Settings, load
from gateway.settings.pace import plan_of

ACCOUNT = {"ZOOM_ACCOUNT_ID": "a", "ZOOM_CLIENT_ID": "b", "ZOOM_CLIENT_SECRET": "s"}
VARIABLE = "ZOOM_GATEWAY_RATELIMIT__PACE"


def loaded(value: str) -> Settings:
    return load(None, {**ACCOUNT, VARIABLE: value})


def written(path: Path, value: str) -> Settings:
    path.write_text(f"ratelimit: {{pace: {value}}}\n")
    return load(path, ACCOUNT)


def test_it_is_off_by_default() -> None:
    settings = load(None, ACCOUNT)
    assert settings.ratelimit.pace == "off"
    assert plan_of(settings.ratelimit.pace) is None
    assert settings.accounts["default"].ratelimit.pace is None


@pytest.mark.parametrize("name", ["free", "pro", "business", "Pro"])
def test_a_plan_by_its_name(name: str) -> None:
    pace = loaded(name).ratelimit.pace
    assert isinstance(pace, str)
    assert plan_of(pace) is PLANS[name.lower()]


@pytest.mark.parametrize("word", ["off", "Off"])
def test_off_is_off_in_any_yaml(tmp_path: Path, word: str) -> None:
    assert written(tmp_path / "gateway.yaml", word).ratelimit.pace == "off"


def test_numbers_of_ones_own(tmp_path: Path) -> None:
    text = "{light: 7, resource-intensive: 5, phone.heavy: 2, day: 100}"
    plan = plan_of(written(tmp_path / "gateway.yaml", text).ratelimit.pace)
    assert plan is not None
    assert plan.lanes == {
        "light": Limit(7, 1.0),
        "resource-intensive": Limit(5, 60.0),
        "phone.heavy": Limit(2, 1.0),
    }
    assert plan.pools["heavy"].calls == 100
    assert loaded('{"light": 7}').ratelimit.pace == {"light": 7}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("fast", "off, free, pro, business"),
        ('{"lite": 3}', "may hold light, medium"),
        ('{"day": 3}', "at least one category"),
        ("{}", "at least one category"),
        ('{"light": 0}', "calls by category"),
        ('{"light": true}', "whole number"),
    ],
)
def test_what_it_cannot_be(value: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        loaded(value)


def test_nobody_waits_longer_than_clients_do() -> None:
    with pytest.raises(ConfigurationError, match="at most 12"):
        load(None, {**ACCOUNT, "ZOOM_GATEWAY_RATELIMIT__PACE_WAIT": "15"})


def test_an_account_has_a_say_of_its_own() -> None:
    own = {
        **ACCOUNT,
        VARIABLE: "pro",
        "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__RATELIMIT__PACE": "off",
        "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__RATELIMIT__PACE_WAIT": "2",
    }
    found = load(None, own).accounts["default"].ratelimit
    assert (found.pace, found.pace_wait) == ("off", 2.0)
