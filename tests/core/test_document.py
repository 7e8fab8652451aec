"""The stored document: what is written is read again, and what cannot be read is said in words."""

import json
import traceback
from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.account import Account, Due, Holdoff, Incident, Minting, advance
from gateway.core.backoff import Budget
from gateway.core.course import relate
from gateway.core.document import FORMAT, MOST, Document, clamp, decode, encode
from gateway.core.errors import StoreContentError, StoreFormatError
from gateway.core.judge import Refusal, judge
from gateway.core.known_fields import DEEPEST
from gateway.core.slots import Phase, Slot
from gateway.core.token import Cause, SlotId
from tests.core.strategies import A0, A1, A2, B0, a_token, alike, an_account, json_values, minted

IDENTITIES = {A0: "one", A1: "one", A2: "one", B0: "two"}
C0 = SlotId("c", 0)
STRANGER = (C0, "three")
EXT = {"pace": {"until": 1.5, "of": ["a", None]}, "Of a later version": True}
CANARY = "value-"
"""How every token of these tests begins."""

Path = tuple[str | int, ...]


def rich() -> Account:
    """An account in which every field holds something."""
    account = minted(an_account(A0, A1, A2, B0), seen_accepted=True)
    account = minted(minted(account, B0, 10.0), A1, 20.0, seen_accepted=True)
    account = judge(account, Refusal(3, "GET /x"), 30.0).account
    account, _ = relate(account, A0, A1, alive=True)
    account, _ = relate(account, A1, A2, alive=False)
    slots = tuple(
        replace(slot, barred="no", failures=2, retry_at=45.5) if slot.id == A2 else slot
        for slot in account.slots
    )
    return replace(
        account,
        slots=slots,
        strangers=MappingProxyType({STRANGER: Slot(C0, Phase.SPARE, a_token(4, C0, 5.0))}),
        suspects=MappingProxyType({"GET /y": 640.0}),
        asked=MappingProxyType({"GET /z": 41.5}),
        fresh=3,
        holdoff=Holdoff(3, 30.0, 34.25),
        budget=Budget(17.5, 30.0),
        minting=Minting(A0, 31.0, "9", "replica-2", Cause.REFUSAL),
        lost=MappingProxyType({B0: 12.0}),
        incident=Incident(3, A1, "GET /x", explained=True, confirmed=True, until=31.0),
        ext=MappingProxyType(EXT),
    )


def stored(account: Account | None = None, delta: float = 0.0) -> Document:
    """What a store gives back: through JSON."""
    document = encode(account or rich(), IDENTITIES, delta)
    return dict(json.loads(json.dumps(document)))


def every_path(value: Any, path: Path = ()) -> Iterator[Path]:
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    for key, one in inner:
        yield (*path, key)
        yield from every_path(one, (*path, key))


def parent(document: Any, path: Path) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


def complaint(document: Document) -> str:
    """All that could be logged if the document is refused; nothing if it can be used."""
    try:
        account = decode(document, IDENTITIES, 0.0)
    except StoreContentError as error:
        return "".join(traceback.format_exception(error))
    encode(advance(account, 40.0), IDENTITIES, 0.0)
    return ""


PATHS = sorted(every_path(stored()), key=str)

REQUIRED = [
    path
    for path in PATHS
    if len(path) == 1
    or (isinstance(path[-1], str) and path[0] not in ("trials", "suspects", "asked", "ext"))
]
REQUIRED.remove(("ext",))

PLACES = [
    (), ("slots", 0), ("slots", 0, "token"), ("due",), ("holdoff",), ("budget",), ("minting",),
    ("lost", 0), ("apart", 0), ("apart", 0, "slots", 1), ("incident",),
]  # fmt: skip
"""All mappings whose fields are ours to name."""


class TestRoundTrip:
    @pytest.mark.parametrize("delta", [0.0, 1_700_000_000.5, -1_000_000.25])
    def test_everything_comes_back(self, delta: float) -> None:
        assert alike(decode(stored(delta=delta), IDENTITIES, -delta), rich())

    @pytest.mark.parametrize("noted", [True, False])
    def test_a_token_keeps_with_which_secret_it_was_minted(self, *, noted: bool) -> None:
        slot = Slot(A0, Phase.ACTIVE, replace(a_token(), previous_secret=noted))
        account = decode(stored(replace(an_account(*IDENTITIES), slots=(slot,))), IDENTITIES, 0.0)
        assert account.active is not None
        assert account.active.previous_secret is noted

    def test_an_empty_account_comes_back(self) -> None:
        account = an_account(*IDENTITIES)
        assert decode(stored(account), IDENTITIES, 0.0) == account

    def test_the_account_of_the_test_leaves_no_field_empty(self) -> None:
        """A guard: else a field that is not written would not be missed."""
        blank = an_account(*IDENTITIES)
        for name in Account.__dataclass_fields__:
            assert name == "epoch" or getattr(rich(), name) != getattr(blank, name), name

    def test_times_are_written_in_the_stores_seconds(self) -> None:
        document = stored(delta=1000.0)
        assert document["rotate_at"] == 2820.0
        assert document["due"]["at"] == 1030.0
        assert document["slots"][0]["token"]["issued_at"] == 1000.0
        assert document["slots"][0]["token"]["expires_at"] == 4600.0
        assert document["holdoff"] == {"generation": 3, "since": 1030.0, "until": 1034.25}
        assert document["budget"] == {"level": 17.5, "at": 1030.0}
        assert document["lost"] == [{"app": "b", "index": 0, "at": 1012.0}]

    def test_the_names_are_those_that_other_gateways_read(self) -> None:
        document = stored()
        assert document["format"] == FORMAT == 1
        assert sorted(document) == [
            "apart", "asked", "budget", "due", "epoch", "ext", "format", "fresh", "generation",
            "holdoff", "incident", "lost", "minting", "rotate_at", "slots", "suspects", "trials",
        ]  # fmt: skip
        assert sorted(document["slots"][0]) == [
            "app", "barred", "failures", "identity", "index", "phase", "retry_at", "token",
        ]  # fmt: skip
        assert [slot["phase"] for slot in document["slots"]] == [
            "spare", "aside", "empty", "active", "spare",
        ]  # fmt: skip

    @given(st.dictionaries(st.text(max_size=8), json_values, max_size=4))
    def test_what_later_versions_add_is_carried_along_as_it_is(self, ext: dict[str, Any]) -> None:
        text = json.dumps(ext, sort_keys=True)
        document = {**stored(delta=1000.0), "ext": json.loads(text)}
        account = advance(decode(document, IDENTITIES, -1000.0), 40.0)
        account, _ = relate(minted(account, A2, 50.0), A0, A2, alive=True)
        again = stored(clamp(account, 50.0), 1000.0)
        assert json.dumps(again["ext"], sort_keys=True) == text
        assert text not in repr(account) or text == "{}"

    def test_a_document_to_which_nothing_was_added_has_no_additions(self) -> None:
        document = stored()
        del document["ext"]
        assert decode(document, IDENTITIES, 0.0).ext == {}

    def test_additions_that_could_not_be_written_again_are_a_newer_gateways(self) -> None:
        fits: dict[str, Any] = {}
        for _ in range(DEEPEST - 1):
            fits = {"a": fits}
        assert decode({**stored(), "ext": fits}, IDENTITIES, 0.0).ext == fits
        with pytest.raises(StoreFormatError, match="additions of more than 32 levels"):
            decode({**stored(), "ext": {"a": fits}}, IDENTITIES, 0.0)

    @pytest.mark.parametrize("ext", [None, 0, "", [], [1], True])
    def test_additions_that_are_no_mapping_cannot_be_read(self, ext: object) -> None:
        with pytest.raises(StoreContentError, match="TypeError"):
            decode({**stored(), "ext": ext}, IDENTITIES, 0.0)


class TestTheConfigurationChanged:
    def test_slots_come_in_its_order(self) -> None:
        identities = dict(reversed(IDENTITIES.items()))
        account = decode(stored(), identities, 0.0)
        assert [slot.id for slot in account.slots] == [B0, A2, A1, A0]

    def test_a_new_slot_is_empty(self) -> None:
        new = SlotId("d", 0)
        account = decode(stored(), {**IDENTITIES, new: "three"}, 0.0)
        assert account.slots[-1] == Slot(new)

    def test_a_slot_that_is_gone_is_kept_for_others_and_used_for_nothing(self) -> None:
        account = decode(stored(), {A2: "one"}, 0.0)
        assert [slot.id for slot in account.slots] == [A2]
        assert list(account.strangers) == [(A0, "one"), (A1, "one"), (B0, "two"), STRANGER]
        assert account.active is None
        assert account.slots[0].barred == "no"
        kept = (account.minting, account.lost, account.apart, account.generation)
        assert kept == (rich().minting, rich().lost, rich().apart, 3)

    def test_what_is_known_of_a_slot_that_nobody_lists_any_more_is_dropped(self) -> None:
        document = stored()
        document["slots"] = [slot for slot in document["slots"] if slot["app"] == "c"]
        account = decode(document, {A2: "one"}, 0.0)
        assert (account.minting, dict(account.lost), dict(account.apart)) == (None, {}, {})

    def test_the_failures_of_a_slot_of_others_are_remembered_for_a_while(self) -> None:
        slots = (Slot(A0), Slot(A1, failures=2, retry_at=60.0), Slot(B0))
        theirs = replace(an_account(A0, A1, B0), slots=slots)
        ours = decode(encode(theirs, IDENTITIES, 0.0), {A0: "one"}, 0.0)
        assert dict(ours.strangers) == {(A1, "one"): slots[1]}
        assert dict(advance(ours, 3659.75).strangers) == dict(ours.strangers)
        assert not advance(ours, 3660.0).strangers

    def test_another_client_under_the_same_name_does_not_inherit_the_token(self) -> None:
        account = decode(stored(), {**IDENTITIES, B0: "another"}, 0.0)
        assert account.slots[-1] == Slot(B0)
        assert account.active is None
        assert dict(account.lost) == {}

    def test_what_others_hold_comes_back_to_them(self) -> None:
        passed_on = encode(decode(stored(), {A2: "one"}, 5.0), {A2: "one"}, -5.0)
        account = decode(passed_on, IDENTITIES, 0.0)
        assert alike(account.slots, rich().slots)
        assert account.active == rich().active

    def test_an_active_token_of_ours_makes_spares_of_theirs(self) -> None:
        known, other = {A0: "one"}, {A0: "one", A1: "one"}
        theirs = minted(minted(an_account(A0, A1)), A1, 10.0)
        ours = advance(decode(encode(theirs, other, 0.0), known, 0.0), 20.0)
        assert ours.active is not None
        assert ours.active.slot == A0
        again = decode(encode(ours, known, 0.0), other, 0.0)
        assert [slot.phase for slot in again.slots] == [Phase.ACTIVE, Phase.SPARE]

    def test_what_others_hold_is_dropped_when_it_expires(self) -> None:
        account = decode(stored(), IDENTITIES, 0.0)
        assert list(advance(account, 3604.0).strangers) == [STRANGER]
        assert not advance(account, 3605.0).strangers

    def test_a_spare_steps_in_for_a_token_that_was_dropped(self) -> None:
        account = advance(decode(stored(), {**IDENTITIES, B0: "another"}, 0.0), 40.0)
        assert account.active is not None
        assert account.active.slot == A0


class TestAClockThatWasSetBack:
    """The store's, so that all its moments seem to lie an hour later than they do."""

    NOW = 40.0

    def set_back(self) -> Account:
        return clamp(decode(stored(), IDENTITIES, 3600.0), self.NOW)

    def test_puts_off_no_mint_by_more_than_the_longest_pauses(self) -> None:
        account = self.set_back()
        assert [slot.retry_at for slot in account.slots] == [400.0] * 4
        assert account.holdoff is not None
        assert account.holdoff.until == self.NOW + 72.0
        assert account.due is not None
        assert account.due.at == self.NOW + 72.0

    def test_makes_no_suspicion_last_longer_than_a_new_one(self) -> None:
        assert dict(self.set_back().suspects) == {"GET /y": 640.0}

    def test_makes_no_verdict_awaited_for_longer_than_it_takes(self) -> None:
        assert dict(self.set_back().asked) == {"GET /z": 42.0}

    def test_does_not_stop_the_budget_from_filling(self) -> None:
        budget = self.set_back().budget
        assert budget == Budget(17.5, self.NOW)
        assert budget.turn(self.NOW) == self.NOW

    def test_puts_no_lost_mint_into_the_future(self) -> None:
        assert dict(self.set_back().lost) == {B0: self.NOW}

    def test_leaves_all_else_as_it_is(self) -> None:
        before, after = decode(stored(), IDENTITIES, 3600.0), self.set_back()
        assert [slot.token for slot in after.slots] == [slot.token for slot in before.slots]
        for name in ("slots", "suspects", "asked", "holdoff", "due", "budget", "lost"):
            after = replace(after, **{name: getattr(before, name)})
        assert after == before

    def test_an_account_whose_clock_is_in_order_stays_as_it_is(self) -> None:
        assert clamp(rich(), self.NOW) == rich()

    def test_an_account_that_waits_for_nothing_stays_as_it_is(self) -> None:
        account = an_account(*IDENTITIES)
        assert clamp(account, self.NOW) == account

    def test_moments_at_their_limits_stay_as_they_are(self) -> None:
        account = replace(
            rich(),
            slots=tuple(replace(slot, retry_at=400.0) for slot in rich().slots),
            suspects=MappingProxyType({"GET /y": 640.0}),
            holdoff=Holdoff(3, 40.0, 112.0),
            due=Due(Cause.REFUSAL, 112.0, "GET /x"),
            budget=Budget(17.5, 40.0),
        )
        assert clamp(account, self.NOW) == account


class TestFormat:
    @pytest.mark.parametrize("written", [2, 3, 10**400])
    def test_of_a_newer_gateway_is_refused_and_not_read(self, written: int) -> None:
        with pytest.raises(StoreFormatError, match="a newer gateway wrote it; upgrade this one"):
            decode({"format": written}, IDENTITIES, 0.0)

    @pytest.mark.parametrize("path", PLACES, ids=str)
    def test_with_a_field_that_is_not_known_is_a_newer_gateways(self, path: Path) -> None:
        document = stored()
        parent(document, (*path, ""))["colour"] = {"any": "thing"}
        where = ".".join([part for part in path if isinstance(part, str)] + ["colour"])
        with pytest.raises(StoreFormatError, match=f"'{where}'.*a newer gateway wrote it"):
            decode(document, IDENTITIES, 0.0)

    @pytest.mark.parametrize(
        "path", [("due",), ("minting",), ("slots", 0, "token")], ids=lambda path: path[0]
    )
    def test_with_a_cause_that_is_not_known_is_a_newer_gateways(self, path: Path) -> None:
        document = stored()
        parent(document, (*path, ""))["cause"] = f"{CANARY}1"
        with pytest.raises(StoreFormatError, match="a cause of a mint that this gateway") as caught:
            decode(document, IDENTITIES, 0.0)
        assert CANARY not in str(caught.value)

    def test_with_a_phase_that_is_not_known_is_a_newer_gateways(self) -> None:
        document = stored()
        document["slots"][0]["phase"] = "ACTIVE"
        with pytest.raises(StoreFormatError, match="a phase in slot a/0 that this gateway"):
            decode(document, IDENTITIES, 0.0)

    @pytest.mark.parametrize("name", ["cause", "phase"])
    def test_a_name_that_is_no_text_is_content_that_cannot_be_read(self, name: str) -> None:
        document = stored()
        slot = document["slots"][0]
        (slot if name == "phase" else slot["token"])[name] = 7
        with pytest.raises(StoreContentError, match="TypeError") as caught:
            decode(document, IDENTITIES, 0.0)
        assert not isinstance(caught.value, StoreFormatError)

    @pytest.mark.parametrize("written", [0, -1, None, "1", 1.0, [], {}])
    def test_that_is_none_is_content_that_cannot_be_read(self, written: object) -> None:
        with pytest.raises(StoreContentError, match="no valid field 'format'") as caught:
            decode({**stored(), "format": written}, IDENTITIES, 0.0)
        assert not isinstance(caught.value, StoreFormatError)

    def test_that_is_missing_is_content_that_cannot_be_read(self) -> None:
        with pytest.raises(StoreContentError, match="no valid field 'format'"):
            decode({}, IDENTITIES, 0.0)


class TestContentThatCannotBeRead:
    @pytest.mark.parametrize("value", ["", "tök", "a b", "a\r\nb", "\ud800"])
    def test_a_token_that_no_header_can_carry(self, value: str) -> None:
        document = stored()
        document["slots"][0]["token"]["value"] = value
        with pytest.raises(StoreContentError, match="no header can carry"):
            decode(document, IDENTITIES, 0.0)

    @pytest.mark.parametrize("value", [None, 7, ["abc"], {"abc": 1}])
    def test_a_token_that_is_no_text(self, value: object) -> None:
        document = stored()
        document["slots"][0]["token"]["value"] = value
        with pytest.raises(StoreContentError, match="TypeError"):
            decode(document, IDENTITIES, 0.0)

    @pytest.mark.parametrize("value", [None, 0, 1, "true", []])
    def test_a_previous_secret_that_is_neither_true_nor_false(self, value: object) -> None:
        document = stored()
        document["slots"][0]["token"]["previous_secret"] = value
        with pytest.raises(StoreContentError, match="TypeError"):
            decode(document, IDENTITIES, 0.0)

    @pytest.mark.parametrize("life", [-1.0, 0.0, 1e12])
    def test_a_life_that_makes_no_sense(self, life: float) -> None:
        document = stored()
        token = document["slots"][0]["token"]
        token["expires_at"] = token["issued_at"] + life
        with pytest.raises(StoreContentError, match="makes no sense"):
            decode(document, IDENTITIES, 0.0)

    @pytest.mark.parametrize("path", REQUIRED, ids=str)
    def test_names_the_field_that_is_missing(self, path: Path) -> None:
        document = stored()
        del parent(document, path)[path[-1]]
        with pytest.raises(StoreContentError, match=f"'{path[-1]}'"):
            decode(document, IDENTITIES, 0.0)

    def test_two_active_tokens(self) -> None:
        document = stored()
        document["slots"][0]["phase"] = "active"
        with pytest.raises(StoreContentError, match="two tokens are active"):
            decode(document, IDENTITIES, 0.0)

    @pytest.mark.parametrize(("slot", "phase"), [(0, Phase.EMPTY), (2, Phase.SPARE)])
    def test_a_phase_that_does_not_fit_the_token(self, slot: int, phase: Phase) -> None:
        document = stored()
        document["slots"][slot]["phase"] = phase.name.lower()
        with pytest.raises(StoreContentError, match="empty if and only if"):
            decode(document, IDENTITIES, 0.0)

    @pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1" + "0" * 400])
    @pytest.mark.parametrize(
        "path",
        [
            ("rotate_at",),
            ("slots", 0, "token", "issued_at"),
            ("slots", 0, "token", "expires_at"),
            ("slots", 2, "retry_at"),
            ("suspects", "GET /y"),
            ("holdoff", "until"),
            ("budget", "level"),
            ("budget", "at"),
        ],
        ids=str,
    )
    def test_a_moment_that_is_none(self, path: Path, text: str) -> None:
        document = stored()
        parent(document, path)[path[-1]] = json.loads(text)
        with pytest.raises(StoreContentError):
            decode(document, IDENTITIES, 0.0)

    @pytest.mark.parametrize("number", [-1, MOST + 1, 10**400])
    @pytest.mark.parametrize(
        "path",
        [
            ("generation",),
            ("fresh",),
            ("slots", 0, "token", "generation"),
            ("slots", 2, "failures"),
            ("trials", "GET /x"),
            ("holdoff", "generation"),
            ("incident", "generation"),
        ],
        ids=str,
    )
    def test_a_counter_that_no_metric_can_tell(self, path: Path, number: int) -> None:
        document = stored()
        parent(document, path)[path[-1]] = number
        with pytest.raises(StoreContentError):
            decode(document, IDENTITIES, 0.0)
        parent(document, path)[path[-1]] = MOST
        decode(document, IDENTITIES, 0.0)

    def test_a_text_that_is_a_bottomless_list(self) -> None:
        bottomless: list[Any] = []
        for _ in range(100_000):
            bottomless = [bottomless]
        document = stored()
        document["slots"][0]["token"]["scope"] = bottomless
        with pytest.raises(StoreContentError, match="RecursionError"):
            decode(document, IDENTITIES, 0.0)

    @given(st.sampled_from(PATHS), json_values)
    def test_any_damage_is_read_or_refused_and_never_shown(self, path: Path, value: Any) -> None:
        document = stored()
        parent(document, path)[path[-1]] = value
        assert CANARY not in complaint(document)

    @given(st.sampled_from(PATHS), st.text(max_size=20).map(lambda text: CANARY + text))
    def test_a_token_in_a_wrong_place_is_not_shown(self, path: Path, value: str) -> None:
        document = stored()
        parent(document, path)[path[-1]] = value
        assert CANARY not in complaint(document)

    @given(json_values)
    def test_any_other_content_is_refused(self, value: Any) -> None:
        with pytest.raises(StoreContentError):
            decode({"format": 1, "slots": value}, IDENTITIES, 0.0)


def test_a_due_mint_without_an_endpoint_comes_back() -> None:
    account = replace(an_account(*IDENTITIES), due=Due(Cause.REQUEST, 4.0))
    assert decode(stored(account), IDENTITIES, 0.0) == account
