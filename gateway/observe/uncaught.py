"""What Python and libraries say by themselves: words, types and places, never texts or values.

Python prints an error that nobody caught with its text, and so do threads, destructors and
warnings; tools that replace its hooks (rich, dev servers) add local variables. A text may quote a
header or a body. Here all of them go to `logging`, which writes what may be shown; before the log
is set up, to standard error in plain words.
"""

import logging
import re
import sys
import threading
import warnings
from types import TracebackType
from typing import Final, TextIO

from gateway.observe.failure import describe

_CONVERSION: Final = re.compile(r"%(?:\(\w+\))?[-#0 +]*[\d*.]*[hlL]?[a-zA-Z]")
_CREDENTIAL: Final = re.compile(r"\b(?:Bearer|Basic)\s+\S+|\beyJ[\w.-]+", re.IGNORECASE)
"""What looks like an Authorization header or a JWT: libraries may fill in a text themselves."""

_LOG: Final = logging.getLogger("python")


def words(record: logging.LogRecord) -> str:
    """The first line of the message as it stands in the library's code, `…` for its texts.

    What follows the first line, as asyncio has it, shows objects and exceptions.
    """
    if not isinstance(record.msg, str):
        return f"<{type(record.msg).__name__}>"
    found = record.msg.partition("\n")[0]
    if record.args:
        found = _CONVERSION.sub("…", found).replace("%%", "%")
    return _CREDENTIAL.sub("***", found)


class _Plain(logging.Handler):
    """To standard error, as it is then: a line of words, and one for each place."""

    def emit(self, record: logging.LogRecord) -> None:
        about = describe(record.exc_info)
        parts = [words(record), about.get("exception"), about.get("reason")]
        lines = [": ".join(part for part in parts if part), *about.get("trace", ())]
        text = "\n    ".join(lines)
        sys.stderr.write(f"zoom-gateway: {text}\n")


def install() -> None:
    """Take the place of Python's own hooks, for the whole process."""
    sys.excepthook = _uncaught
    threading.excepthook = _in_a_thread
    sys.unraisablehook = _unraisable
    warnings.showwarning = _warning
    # A handler that fails would print the message with all its texts.
    logging.raiseExceptions = False
    logging.lastResort = _Plain(logging.WARNING)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _LOG.error("An error that nobody caught ends the process.", exc_info=(kind, error, trace))


def _in_a_thread(about: threading.ExceptHookArgs) -> None:
    if about.exc_value is not None and about.exc_type is not SystemExit:
        _LOG.error(
            "An error that nobody caught ended a thread.",
            exc_info=(about.exc_type, about.exc_value, about.exc_traceback),
        )


def _unraisable(about: "sys.UnraisableHookArgs") -> None:
    # Nothing is kept of `about.object`: to show it would call its code.
    if about.exc_value is not None:
        _LOG.error(
            "An error came where none can be raised, as in a destructor.",
            exc_info=(about.exc_type, about.exc_value, about.exc_traceback),
        )


def _warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, filename, lineno, file, line
    # The category's name comes from code; the text may be about a value.
    _LOG.warning(f"A warning of the kind {category.__name__}.")
