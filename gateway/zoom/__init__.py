"""The adapters to Zoom: its token endpoint and its API."""

from typing import Final

from gateway import __version__

USER_AGENT: Final = f"zoom-gateway/{__version__}"
"""What the gateway's own requests (mints and probes) call themselves."""
