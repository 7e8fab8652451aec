"""Which of aiohttp's two parsers reads the calls."""

from aiohttp import http_parser
from aiohttp.helpers import NO_EXTENSIONS


def weakness() -> str | None:
    """Why the gateway must not take calls here; None: it may.

    aiohttp has a second parser, in Python, for where its C extension is missing. That one takes
    bare CR and NUL in chunk extensions, changes the case of methods, and waits for chunks of any
    size: others in the chain may read such a call otherwise, so it is not supported.
    """
    if http_parser.HttpRequestParser is not http_parser.HttpRequestParserPy:
        return None
    if NO_EXTENSIONS:
        return (
            "AIOHTTP_NO_EXTENSIONS: do not set it. It makes aiohttp use its parser in Python, "
            "which is too lenient for a proxy"
        )
    return (
        "aiohttp: it was installed without its C extension, and its parser in Python is too "
        "lenient for a proxy. Install a wheel of it: pip install --force-reinstall aiohttp"
    )
