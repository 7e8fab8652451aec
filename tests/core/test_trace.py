import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.headers import CallerHeaders, read_caller
from gateway.core.trace import (
    CallTrace,
    TraceContext,
    Wait,
    begin,
    carried,
    chosen,
    foreign,
    read_context,
    root,
)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01".encode()


def headers(*parents: bytes, state: tuple[bytes, ...] = (), baggage: bytes = b"") -> CallerHeaders:
    return read_caller(
        [
            *((b"TraceParent", one) for one in parents),
            *((b"tracestate", one) for one in state),
            *([(b"Baggage", baggage)] if baggage else []),
        ]
    )


class Numbers:
    """Random bits that are not: 1, 2, 3, …"""

    def __init__(self, start: int = 0) -> None:
        self.last = start

    def __call__(self, bits: int) -> int:
        self.last += 1
        assert self.last < 2**bits
        return self.last


class TestReading:
    def test_a_callers_context(self) -> None:
        assert read_context(headers(PARENT)) == TraceContext(TRACE, SPAN, sampled=True)

    @pytest.mark.parametrize(
        ("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("ff", True)]
    )
    def test_one_flag_says_whether_it_is_recorded(self, flags: str, *, sampled: bool) -> None:
        context = read_context(headers(f" 00-{TRACE}-{SPAN}-{flags}\t".encode()))
        assert context is not None
        assert context.sampled is sampled

    @pytest.mark.parametrize("more", ["", "-", "-what a later version adds"])
    def test_a_later_version_may_add(self, more: str) -> None:
        assert read_context(headers(f"cc-{TRACE}-{SPAN}-01{more}".encode())) is not None

    @pytest.mark.parametrize(
        "value",
        [
            b"",
            b"00",
            f"00-{TRACE}-{SPAN}".encode(),
            f"00-{TRACE}-{SPAN}-1".encode(),
            f"00-{TRACE}-{SPAN}-01-more".encode(),
            f"00-{TRACE}-{SPAN}-01.more".encode(),
            f"cc-{TRACE}-{SPAN}-01.more".encode(),
            f"ff-{TRACE}-{SPAN}-01".encode(),
            f"00-{TRACE.upper()}-{SPAN}-01".encode(),
            f"00-{'0' * 32}-{SPAN}-01".encode(),
            f"00-{TRACE}-{'0' * 16}-01".encode(),
            f"00-{TRACE[1:]}-{SPAN}-01".encode(),
            f"00-{TRACE}-{SPAN}-0x".encode(),
            PARENT + b"\n",
        ],
    )
    def test_what_is_not_valid_is_none(self, value: bytes) -> None:
        raw = CallerHeaders([], {b"traceparent": [value]})
        assert read_context(raw) is None
        assert foreign(raw) is None

    def test_nor_are_none_or_two(self) -> None:
        assert read_context(headers()) is None
        assert read_context(headers(PARENT, PARENT)) is None

    @given(st.binary(max_size=70))
    def test_no_bytes_are_too_much(self, value: bytes) -> None:
        found = read_context(CallerHeaders([], {b"traceparent": [value], b"tracestate": [value]}))
        if found is not None:
            assert value.strip(b" \t")[3:52].decode() == f"{found.trace_id}-{found.span_id}"
            assert found.state == ""

    @pytest.mark.parametrize(
        ("came", "kept"),
        [
            ((), ""),
            ((b"a=1",), "a=1"),
            ((b"a=1,\tb=2 ,,", b"c=3"), "a=1,b=2,c=3"),
            (
                (b"rojo=00f067aa0ba902b7,t61rcwkgmze@vendor= a-z!~",),
                "rojo=00f067aa0ba902b7,t61rcwkgmze@vendor= a-z!~",
            ),
            ((b"a=" + b"1" * 250 + b",b=" + b"1" * 250,), "a=" + "1" * 250 + ",b=" + "1" * 250),
            ((b"a=" + b"1" * 250 + b",b=" + b"1" * 260,), ""),
            ((b"a=" + b"1" * 257,), ""),
            ((b"a=\xe4",), ""),
            ((b"a=\x01",), ""),
            ((b"a",), ""),
            ((b"a=",), ""),
            ((b"A=1",), ""),
            ((b"a=1,b",), ""),
            ((b"a=1,a=2",), ""),
            ((b"a=1=2",), ""),
            (
                (b",".join(b"a%d=1" % number for number in range(32)),),
                ",".join(f"a{number}=1" for number in range(32)),
            ),
            ((b",".join(b"a%d=1" % number for number in range(33)),), ""),
        ],
    )
    def test_its_state(self, came: tuple[bytes, ...], kept: str) -> None:
        context = read_context(headers(PARENT, state=came))
        assert context is not None
        assert context.state == kept


class TestBeginning:
    def test_a_call_without_a_trace_begins_one(self) -> None:
        trace = begin(headers(), 1.0, Numbers(), 5.0)
        assert trace.context == TraceContext(f"{1:032x}", f"{2:016x}", sampled=True)
        assert trace.parent_id == ""
        assert trace.ours
        assert trace.steps is not None
        assert trace.steps.began == 5.0

    def test_no_id_is_zero(self) -> None:
        context = root(1.0, lambda _: 0)
        assert (context.trace_id, context.span_id) == (f"{1:032x}", f"{1:016x}")

    @pytest.mark.parametrize("sampled", [True, False])
    @pytest.mark.parametrize("share", [0.0, 1.0])
    def test_a_caller_decides_whether_its_calls_are_recorded(
        self, share: float, *, sampled: bool
    ) -> None:
        sent = f"00-{TRACE}-{SPAN}-{int(sampled):02x}".encode()
        trace = begin(headers(sent, state=(b"a=1",)), share, Numbers(), 5.0)
        assert trace.context == TraceContext(TRACE, f"{1:016x}", sampled, "a=1")
        assert trace.parent_id == SPAN
        assert (trace.steps is not None) is sampled

    def test_where_no_spans_are_made_the_callers_is_known_all_the_same(self) -> None:
        trace = foreign(headers(PARENT))
        assert trace == CallTrace(TraceContext(TRACE, SPAN, sampled=True), ours=False)


class TestShares:
    @pytest.mark.parametrize("identity", ["0" * 16, "f" * 16, TRACE])
    def test_all_and_none(self, identity: str) -> None:
        assert chosen(identity, 1.0)
        assert not chosen(identity, 0.0)

    @given(st.integers(0, 2**128 - 1), st.floats(0, 1), st.floats(0, 1))
    def test_a_smaller_share_lies_within_a_larger(self, number: int, a: float, b: float) -> None:
        identity = f"{number:032x}"
        assert chosen(identity, max(a, b)) or not chosen(identity, min(a, b))

    def test_a_tenth_is_a_tenth(self) -> None:
        step = 2**64 // 1000
        hits = [chosen(f"{number * step:016x}", 0.1) for number in range(1000)]
        assert sum(hits) == 101


class TestSteps:
    def test_a_replayed_call(self) -> None:
        trace = begin(headers(), 1.0, Numbers(), 1.0)
        steps = trace.steps
        assert steps is not None
        steps.ended(1.0)
        assert trace.outgoing() == trace.context
        steps.waited(1.0, 1.5)
        steps.sent(7, 1.5)
        assert trace.outgoing() == trace.context._replace(span_id=f"{3:016x}")
        steps.answered(401, 2.0)
        steps.refused(2.1)
        steps.sent(8, 3.0)
        assert trace.outgoing().span_id == f"{4:016x}"
        steps.answered(200, 3.5)
        steps.ended(4.0)
        first, second = steps.sendings
        assert (first.generation, first.began, first.answered, first.ended) == (7, 1.5, 2.0, 2.1)
        assert (first.status, first.refused) == (401, True)
        assert (second.status, second.refused, second.ended) == (200, False, 4.0)
        assert steps.waits == [Wait(1.0, 1.5)]


class TestTellingZoom:
    def test_of_the_callers_trace_as_it_came(self) -> None:
        caller = headers(PARENT, b"second", state=(b"a=1", b"b=2"), baggage=b"user=7")
        assert carried(caller, None) == [
            (b"traceparent", PARENT),
            (b"traceparent", b"second"),
            (b"tracestate", b"a=1"),
            (b"tracestate", b"b=2"),
            (b"baggage", b"user=7"),
        ]
        one = headers(PARENT)
        assert carried(one, foreign(one)) == [(b"traceparent", PARENT)]

    def test_of_ours_where_there_is_one(self) -> None:
        caller = headers(PARENT, state=(b"a=1",), baggage=b"user=7")
        trace = begin(caller, 1.0, Numbers(), 1.0)
        assert trace.steps is not None
        trace.steps.sent(7, 1.5)
        assert carried(caller, trace) == [
            (b"traceparent", f"00-{TRACE}-{2:016x}-01".encode()),
            (b"tracestate", b"a=1"),
            (b"baggage", b"user=7"),
        ]

    def test_of_one_that_nobody_records(self) -> None:
        caller = headers(b"no context")
        trace = begin(caller, 0.0, Numbers(), 1.0)
        assert carried(caller, trace) == [
            (b"traceparent", f"00-{1:032x}-{2:016x}-00".encode()),
        ]
