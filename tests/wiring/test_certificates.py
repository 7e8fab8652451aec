"""The files of section `tls`: read when they change, told of when they are old."""

import asyncio
import io
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import ConfigurationError
from gateway.observe.gateway_log import GatewayLog
from gateway.observe.logs import configure
from gateway.observe.metrics import Metrics
from gateway.settings.tls import TlsSettings
from gateway.wiring.certificates import Certificates, TlsNews
from tests.observe.charts import A0, WALL, healthy
from tests.stores.certificates import Authority, Issued
from tests.support.processes import eventually

QUICK = 0.02
"""Seconds between two looks."""


class World:
    def __init__(self, directory: Path) -> None:
        self.ca = Authority(directory)
        self.shown = directory / "shown.crt", directory / "shown.key"
        self.put(self.ca.issue("one.test"))
        self.wall = 0.0
        self._stream = io.StringIO()
        log = GatewayLog(configure("json", "debug", self._stream))
        self.metrics = Metrics(
            {"default": (A0,)}, lambda: {"default": healthy()}, lambda: WALL, "1"
        )
        self.news = TlsNews(self.metrics, lambda: log)

    def put(self, pair: Issued, *, half: bool = False) -> None:
        self.shown[0].write_bytes(pair.certificate.read_bytes())
        if not half:
            self.shown[1].write_bytes(pair.key.read_bytes())

    def settings(self, **more: Any) -> TlsSettings:
        return TlsSettings(certificate_file=self.shown[0], key_file=self.shown[1], **more)

    def made(self, every: float = QUICK, **more: Any) -> Certificates:
        made = Certificates(self.settings(**more), self.news, lambda: self.wall, every)
        self.metrics.show_certificate(lambda: made.certificate.ends)
        self.wall = self.wall or made.certificate.begins + 3600
        return made

    def said(self) -> list[str]:
        return [json.loads(line)["event"] for line in self._stream.getvalue().splitlines()]

    def message(self) -> str:
        return str(json.loads(self._stream.getvalue().splitlines()[-1])["message"])

    def count(self, result: str) -> float | None:
        name = "zoom_gateway_tls_reloads_total"
        return self.metrics.registry.get_sample_value(name, {"result": result})


@pytest.fixture
def world(tmp_path: Path, _logging_as_it_was: None) -> World:
    return World(tmp_path)


@pytest.fixture
def _logging_as_it_was() -> Iterator[None]:
    import structlog  # noqa: PLC0415  here alone

    before = structlog.get_config()
    yield
    structlog.configure(**before)


async def test_files_that_change_are_noticed(world: World) -> None:
    made = world.made()
    made.start()
    first = made.context()
    try:
        world.put(world.ca.issue("two.test"))
        await eventually(lambda: made.certificate.names == ("two.test",), "the new certificate")
        assert made.context() is not first
        assert made.status().names == ("two.test",)
        assert (world.said(), world.count("success")) == (["tls_reloaded"], 1)
    finally:
        await made.close()


async def test_what_cannot_be_used_changes_nothing_and_is_tried_again(world: World) -> None:
    made = world.made()
    made.start()
    first = made.context()
    try:
        second = world.ca.issue("two.test")
        world.put(second, half=True)
        await eventually(lambda: (world.count("failure") or 0) > 2, "several tries")
        assert made.context() is first
        # Of many tries, one line in a minute.
        assert world.said() == ["tls_reload_failed"]
        assert "is not the key" in world.message()
        world.shown[1].unlink()
        await eventually(lambda: "No such file" in world.message(), "a file that is gone")
        world.put(second)
        await eventually(lambda: made.certificate.names == ("two.test",), "the whole pair")
    finally:
        await made.close()


async def test_nothing_is_read_anew_while_nothing_changes(world: World) -> None:
    made = world.made(every=3600)
    first = made.context()
    for _ in range(3):
        await made.look()
    # Only written once more: no reload.
    world.put(Issued(*[Path(str(one)) for one in world.shown]))
    await made.look()
    assert made.context() is first
    assert world.said() == []
    assert (world.count("success"), world.count("failure")) == (0, 0)


async def test_other_settings_are_used_once_they_are_put_in_force(world: World) -> None:
    made = world.made(every=3600)
    asked = world.settings(client_ca_file=world.ca.file, minimum_version="1.3")
    async with made.changing(asked) as change:
        looking = asyncio.create_task(made.look())
        await asyncio.sleep(0)
        assert made.status().client_certificates == "off"
        change()
        assert made.status().client_certificates == "required"
    await looking
    assert made.status().client_certificates == "required"
    assert made.context().verify_mode is ssl.CERT_REQUIRED
    assert made.context().minimum_version is ssl.TLSVersion.TLSv1_3
    assert world.count("success") == 1


async def test_others_are_told_of_only_if_other_callers_are_let_in(world: World) -> None:
    told: list[str] = []
    cas = world.ca.file.with_name("clients.pem")
    cas.write_bytes(world.ca.file.read_bytes())
    asked = world.settings(client_ca_file=cas)
    made = Certificates(asked, world.news, others=lambda: told.append("others"))
    world.put(world.ca.issue("two.test"))
    await made.look()
    assert (told, world.count("success")) == ([], 1)
    async with made.changing(
        world.settings(client_ca_file=cas, client_certificates="optional")
    ) as change:
        change()
    assert told == ["others"]
    cas.write_bytes(world.ca.file.read_bytes() * 2)
    await made.look()
    assert told == ["others"] * 2
    cas.write_bytes(b"none")
    await made.look()
    assert told == ["others"] * 2


async def test_a_certificate_that_grows_old_is_told_of_once_for_each_age(world: World) -> None:
    made = world.made(every=3600)
    made.start()
    assert world.said() == []
    for wall, words in (
        (made.certificate.due, "ends soon"),
        (made.certificate.ends, "has expired"),
    ):
        world.wall = wall
        await made.look()
        await made.look()
        assert words in world.message()
    assert world.said() == ["tls_certificate_old"] * 2
    await made.close()


async def test_one_that_is_old_at_the_start_is_told_of_and_used(world: World) -> None:
    world.put(world.ca.issue("old.test", days=(-3, -1)))
    world.wall = 4e9
    made = world.made(every=3600)
    made.start()
    assert world.said() == ["tls_certificate_old"]
    await made.close()


async def test_at_the_start_there_is_nothing_to_fall_back_on(world: World) -> None:
    settings = world.settings()
    world.shown[1].write_text("")
    with pytest.raises(ConfigurationError, match=r"tls\.key_file"):
        Certificates(settings, world.news)
