"""Spans for OpenTelemetry: where they go, and of how many calls."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from gateway.core.secret import Secret
from gateway.core.zoom_hosts import is_loopback
from gateway.models import AfterValidator, Field, ValidationInfo, field_validator
from gateway.settings import kinds
from gateway.settings.kinds import Kind
from gateway.settings.secrets import read_small_file
from gateway.settings.section import Section
from gateway.settings.shown import shown_name
from gateway.settings.tls_files import CaFile
from gateway.settings.urls import CollectorUrl

_NEEDED: Final = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")
"""What the extra `otel` installs."""


def read_headers(path: Path) -> Mapping[str, Secret]:
    """The header fields that a file holds. Raises ValueError that names the file and the line."""
    name = shown_name(path)
    fields: dict[str, Secret] = {}
    try:
        text = read_small_file(path).decode("ascii")
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not text in ASCII") from None
    for number, line in enumerate(text.splitlines(), 1):
        field, colon, value = (part.strip() for part in line.partition(":"))
        if not any((field, colon)):
            continue
        if not (colon and value and value.isprintable() and kinds.FIELD_NAME.fullmatch(field)):
            raise ValueError(f"{name}, line {number}: must be a header field such as Name: value")
        fields[field] = Secret(value)
    if not fields:
        raise ValueError(f"{name} holds no header field such as Name: value")
    return fields


def _readable(path: Path) -> Path:
    read_headers(path)
    return path


HeadersFile = Annotated[
    Path, AfterValidator(_readable), Kind("the path of a file that holds header fields")
]


class TracingSettings(Section):
    """Spans for OpenTelemetry. They need the extra: `pip install 'zoom-gateway[otel]'`."""

    endpoint: CollectorUrl | None = Field(
        default=None,
        description="The collector that takes spans over OTLP/HTTP, such as"
        " `http://localhost:4318`; a URL without a path gets `/v1/traces`. Unset: there are no"
        " spans.",
    )
    sample: kinds.Portion = Field(
        default=1.0,
        description="The share of the calls that begin a trace here of which spans are made, 0 to"
        " 1. For a call that comes with a valid `traceparent`, its caller has decided.",
    )
    propagate: kinds.Switch = Field(
        default=False,
        description="Whether Zoom is told of traces: without it, `traceparent`, `tracestate` and"
        " `baggage` of callers end here.",
    )
    service_name: kinds.ServiceName = Field(
        default="zoom-gateway", description="The `service.name` under which spans are found."
    )
    headers_file: HeadersFile | None = Field(
        default=None,
        description="A file with header fields that the collector asks for, a `Name: value` a"
        " line. It is read again for each export, so that a changed one needs no restart.",
    )
    ca_file: CaFile | None = Field(
        default=None,
        description="A file with the CA certificates (PEM) that sign the collector's, instead of"
        " the usual CAs.",
    )

    @field_validator("endpoint")
    @classmethod
    def _installed(cls, endpoint: str | None) -> str | None:
        if endpoint is not None and not all(map(_is_there, _NEEDED)):
            raise ValueError(
                "needs an extra that is not installed: pip install 'zoom-gateway[otel]'"
            )
        return endpoint

    @field_validator("headers_file")
    @classmethod
    def _not_in_clear(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        url = urlsplit(info.data.get("endpoint") or "")
        if path is not None and url.scheme == "http" and not is_loopback(url.hostname or ""):
            raise ValueError(
                "holds secrets, so tracing.endpoint must begin with https:// or stay on this"
                " machine"
            )
        return path

    def current_headers(self) -> Mapping[str, Secret]:
        """What the collector asks for now. Raises ValueError if the file cannot be used."""
        try:
            return read_headers(self.headers_file) if self.headers_file else {}
        except ValueError as error:
            raise ValueError(f"headers_file: {error}") from None


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
