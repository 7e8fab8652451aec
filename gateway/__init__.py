"""zoom-gateway: a reverse proxy that owns the Zoom Server-to-Server OAuth token."""

__version__ = "0.1.0"
