"""Whether the way to Zoom leads back to the gateway: better said at the start than by each call."""

import asyncio
from typing import Final
from urllib.parse import urlsplit

from gateway.core.errors import ConfigurationError
from gateway.settings import UpstreamSettings
from gateway.wiring.outward import Outward
from gateway.zoom.own import LoopError

PATIENCE: Final = 1.0
"""Seconds for the names. Where they take longer, or are not known yet, the calls will tell."""

ADVICE: Final = (
    "give Zoom's address in upstream.addresses, or name servers that know it in"
    " upstream.nameservers"
)


async def refuse_loops(settings: UpstreamSettings, outward: Outward) -> None:
    """Raises ConfigurationError if one of Zoom's hosts stands for where the gateway listens."""
    ways = (
        ("api_url", settings.api_origin, outward.api_proxy),
        ("token_url", settings.token_url, outward.token_proxy),
    )
    found = [_loop(outward, key, url) for key, url, proxy in ways if proxy is None]
    problems = [problem for problem in await asyncio.gather(*found) if problem]
    if problems:
        raise ConfigurationError(problems)


async def _loop(outward: Outward, key: str, url: str) -> str | None:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(PATIENCE):
            await outward.names.addresses(parts.hostname or "", port)
    except LoopError as error:
        return f"upstream.{key}: {error}: {ADVICE}"
    except (OSError, UnicodeError):  # whatever it is, it may be well when it is needed
        return None
    return None
