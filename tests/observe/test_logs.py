import asyncio
import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from gateway.core.errors import ConfigurationError
from gateway.core.secret import Secret
from gateway.core.token import Cause
from gateway.observe.fields import ALLOWED, LONGEST, MOST
from gateway.observe.logs import Level, configure
from tests.observe.charts import CANARY, WALL
from tests.observe.conftest import Journal

pytestmark = pytest.mark.usefixtures("_logging_as_it_was")


def test_a_line_is_json_with_its_time_level_and_event_first(journal: Journal) -> None:
    journal.log.info("started", version="1.2.3", accounts=("one", "two"))
    assert list(journal.line) == ["timestamp", "level", "event", "version", "accounts"]
    assert journal.line == {
        "timestamp": "2027-01-15T08:00:00.000Z",
        "level": "info",
        "event": "started",
        "version": "1.2.3",
        "accounts": ["one", "two"],
    }


def test_less_serious_lines_are_left_out(journal_at: Callable[[Level], Journal]) -> None:
    journal = journal_at("warning")
    journal.log.info("call")
    journal.log.warning("foreign_mint")
    assert journal.line["event"] == "foreign_mint"


def test_every_logger_of_the_process_writes_there(journal: Journal) -> None:
    structlog.get_logger().info("stopped", inflight=0)
    assert journal.line["event"] == "stopped"


def test_a_field_that_is_not_on_the_list_is_dropped_by_name(journal: Journal) -> None:
    journal.log.info("call", status=200, authorization=f"Bearer {CANARY}", body=CANARY)
    assert journal.line["dropped_fields"] == ["authorization", "body"]
    assert journal.line["status"] == 200
    assert CANARY not in journal.stream.getvalue()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Secret(CANARY), "Secret(***)"),
        ([Secret(CANARY), 1], ["Secret(***)", 1]),
        ({"token": CANARY}, "<dict>"),
        (CANARY.encode(), "<bytes>"),
        (ValueError(CANARY), "<ValueError>"),
        (Cause.ROTATION, "rotation"),
        (True, True),
        (None, None),
        (1.5, 1.5),
        (float("nan"), None),
        ("x" * (LONGEST + 1), "x" * LONGEST),
        (list(range(MOST + 1)), list(range(MOST))),
        ("line\nbreak \ud800", "line\nbreak \ud800"),
    ],
)
def test_what_stands_in_a_field(journal: Journal, value: object, shown: object) -> None:
    journal.log.info("call", message=value)
    assert journal.line["message"] == shown
    assert CANARY not in journal.stream.getvalue()
    assert journal.stream.getvalue().count("\n") == 1


def fail_deep() -> None:
    raise KeyError(CANARY)


def test_an_exception_shows_its_type_and_place_but_no_text(journal: Journal) -> None:
    try:
        try:
            fail_deep()
        except KeyError as error:
            raise RuntimeError(f"headers: {CANARY}") from error
    except RuntimeError:
        journal.log.exception("defect")
    line = journal.line
    assert line["level"] == "error"
    assert line["exception"] == "RuntimeError"
    assert line["caused_by"] == ["KeyError"]
    assert line["place"].startswith("tests/observe/test_logs.py:")
    assert line["place"].endswith("in test_an_exception_shows_its_type_and_place_but_no_text")
    assert line["trace"] == [line["place"]]
    assert "reason" not in line
    assert CANARY not in journal.stream.getvalue()


def test_our_own_exceptions_may_speak(journal: Journal) -> None:
    journal.log.error("defect", exc_info=ConfigurationError(["listen.port: must be a port"]))
    assert journal.line["exception"] == "gateway.core.errors.ConfigurationError"
    assert journal.line["reason"] == "listen.port: must be a port"
    assert "place" not in journal.line


def test_the_parts_of_a_group_are_named(journal: Journal) -> None:
    group = ExceptionGroup(CANARY, [ValueError(CANARY), OSError(CANARY)])
    journal.log.error("defect", exc_info=group)
    assert journal.line["caused_by"] == ["ValueError", "OSError"]
    assert CANARY not in journal.stream.getvalue()


def test_no_exception_is_no_field(journal: Journal) -> None:
    journal.log.error("defect", exc_info=None)
    assert set(journal.line) == {"timestamp", "level", "event"}


def test_libraries_come_out_in_the_same_form(journal: Journal) -> None:
    logging.getLogger("aiohttp.server").error(
        "Error handling request from %s took %.3f s, 100%%", CANARY, 1.0
    )
    assert journal.line["event"] == "library"
    assert journal.line["level"] == "error"
    assert journal.line["logger"] == "aiohttp.server"
    assert journal.line["message"] == "Error handling request from … took … s, 100%"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("first line\nfuture: <Task exception=KeyError('x')>", "first line"),
        ("a header: Bearer abc.def, and so on", "a header: *** and so on"),
        ("a jwt eyJabc.eyJdef.sig here", "a jwt *** here"),
        ("50% of %s", "50% of %s"),
        (ValueError(CANARY), "<ValueError>"),
    ],
)
def test_what_libraries_write_is_cut_down(journal: Journal, message: Any, shown: str) -> None:
    logging.getLogger("library").warning(message)
    assert journal.line["message"] == shown


def test_libraries_are_quiet_below_warning(journal: Journal) -> None:
    logging.getLogger("asyncio").info("Using selector")
    logging.getLogger("odd").log(35, "between two levels")
    assert journal.line["level"] == "warning"


def test_an_exception_of_a_library_shows_no_text(journal: Journal) -> None:
    try:
        fail_deep()
    except KeyError:
        logging.getLogger("aiohttp.server").exception("Error handling request")
    assert journal.line["exception"] == "KeyError"
    assert CANARY not in journal.stream.getvalue()


async def test_a_task_that_nobody_awaits_shows_no_text(journal: Journal) -> None:
    loop = asyncio.get_running_loop()
    loop.call_exception_handler({"message": "Task failed", "exception": ValueError(CANARY)})
    assert journal.line["message"] == "Task failed"
    assert journal.line["exception"] == "ValueError"
    assert CANARY not in journal.stream.getvalue()


def test_setting_up_twice_writes_once(journal_at: Callable[[Level], Journal]) -> None:
    first, second = journal_at("info"), journal_at("info")
    logging.getLogger("library").warning("once")
    assert first.lines == []
    assert len(second.lines) == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def console(stream: io.StringIO, **fields: object) -> str:
    configure("console", "info", stream, lambda: WALL).info("foreign_mint", **fields)
    return stream.getvalue()


def test_people_read_the_sentence() -> None:
    text = console(io.StringIO(), message="Another program mints.", account="default")
    assert "Another program mints." in text
    assert "account=default" in text
    assert "foreign_mint" not in text
    assert "\x1b" not in text


def test_colours_on_a_terminal_only() -> None:
    assert "\x1b[" in console(Terminal(), account="default")


def test_no_text_of_others_steers_the_terminal() -> None:
    text = console(io.StringIO(), message="a\x1b[2Jb\nc", tracking_id="\x9b31m")
    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert "\x9b" not in text


def test_standard_error_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info").info("started")
    assert json.loads(capsys.readouterr().err)["event"] == "started"


def test_the_list_of_fields_names_nothing_that_holds_a_secret() -> None:
    for word in ("token", "secret", "authorization", "header", "body", "query", "path", "url"):
        assert word not in ALLOWED
