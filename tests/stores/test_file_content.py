"""The store in files: what lies in them, and what is done with what cannot be read."""

import json
from pathlib import Path

import pytest

from gateway.core.errors import StoreFormatError
from gateway.ports import NOTHING, Lease, Stamp
from gateway.stores import presences
from tests.stores.contract_bench import presence, shown, written
from tests.stores.disk import CANARY, Disk, mode


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "deep" / "tokens")


def record(**fields: object) -> bytes:
    """A file's content; `fields` replace its own."""
    own: dict[str, object] = {
        "document": {"n": 1},
        "revision": [5, "a"],
        "fence": [2, "b"],
        "lease_owner": "",
        "lease_until": 0,
    }
    return json.dumps(own | fields).encode()


CORRUPT = {
    "empty": b"",
    "truncated": b'{"document": {"n": 1}, "revision": 1, "fen',
    "binary": bytes(range(256)),
    "no UTF-8": b'{"document": "\xff\xfe"}',
    "an array": b"[1, 2, 3]",
    "a number": b"7",
    "null": b"null",
    "another program's JSON": b'{"name": "package"}',
    "a document that is none": record(document=[]),
    "a revision that is none": record(revision="xy"),
    "an endless revision": record(revision=[float("inf"), "a"]),
    "a revision of another kind": record(revision=["1", "a"]),
    "a fence without its number": record(fence=["a"]),
    "an endless lease": record().replace(b'"lease_until": 0', b'"lease_until": 1' + b"0" * 400),
    "deeper than any JSON": b"[" * 100_000,
}


class TestAFileThatCannotBeRead:
    @pytest.fixture(params=list(CORRUPT.values()), ids=list(CORRUPT))
    def damage(self, request: pytest.FixtureRequest, disk: Disk) -> bytes:
        disk.directory.mkdir(parents=True)
        content: bytes = request.param
        disk.file.write_bytes(content)
        return content

    async def test_is_renamed_reported_and_kept_as_it_was(self, disk: Disk, damage: bytes) -> None:
        found = await disk.store().read("acc")
        assert (found.document, found.revision) == (None, NOTHING)
        (kept,) = disk.kept()
        assert kept.read_bytes() == damage
        assert kept.name == "acc.json.corrupt-20231114T221320Z-1"
        (report,) = disk.reports
        assert str(disk.file) in report
        assert str(kept) in report

    async def test_is_out_of_the_way_of_the_next_write(self, disk: Disk, damage: bytes) -> None:
        assert await disk.store().write("acc", {"n": 1}, revision=NOTHING)
        assert (await disk.store().read("acc")).document == {"n": 1}
        assert [path.read_bytes() for path in disk.kept()] == [damage]
        assert len(disk.reports) == 1

    async def test_does_not_keep_anybody_from_the_lease(self, disk: Disk, damage: bytes) -> None:
        del damage
        assert await disk.store().acquire("acc", "one", 3.0) is not None


NEWER = {
    "another field": record(document={"format": 1}, sealed=True),
    "another field, and no document": record(document=None, shards=[]),
    "a newer document, and stamps of another form": record(document={"format": 2}, revision="5.a"),
}


class TestAFileThatANewerGatewayLaidOut:
    @pytest.fixture(params=list(NEWER.values()), ids=list(NEWER))
    def content(self, request: pytest.FixtureRequest, disk: Disk) -> bytes:
        disk.directory.mkdir(parents=True)
        content: bytes = request.param
        disk.file.write_bytes(content)
        return content

    async def test_is_refused_and_stays_whatever_is_done(self, disk: Disk, content: bytes) -> None:
        store = disk.store()
        lease = Lease("acc", "one", Stamp(2, "b"))
        for call in (
            store.read("acc"),
            store.write("acc", {"n": 2}, revision=Stamp(5, "a")),
            store.acquire("acc", "one", 3.0),
            store.renew(lease, 3.0),
            store.release(lease),
            store.set_aside("acc", Stamp(5, "a"), "no use"),
            store.changed("acc", Stamp(5, "a")),
        ):
            with pytest.raises(StoreFormatError, match="a newer gateway wrote it") as caught:
                await call
            assert str(disk.file) in str(caught.value)
        assert disk.file.read_bytes() == content
        assert not disk.kept()
        assert not disk.reports


class TestRevisionsAndFences:
    async def test_are_kept_as_number_and_tag(self, disk: Disk) -> None:
        lease = await disk.store().acquire("acc", "one", 3.0)
        assert lease is not None
        revision = await written(disk.store(), {"n": 1})
        kept = json.loads(disk.file.read_bytes())
        assert (kept["revision"], kept["fence"]) == ([*revision], [*lease.fence])


class TestTheReplicas:
    @pytest.mark.parametrize(
        "content", [b"", b"[]", b"7", b"[" * 100_000, b'{"a": [{}, 1]}', b'{"a": 7}', b"\xff"]
    )
    async def test_what_cannot_be_read_is_replaced(self, disk: Disk, content: bytes) -> None:
        disk.directory.mkdir(parents=True)
        (disk.directory / "_replicas.json").write_bytes(content)
        assert await shown(disk.store(), "b") == ["b"]
        assert not disk.reports

    async def test_of_what_can_be_read_in_part_that_part_is_shown(self, disk: Disk) -> None:
        await shown(disk.store(), "a")
        file = disk.directory / "_replicas.json"
        kept = json.loads(file.read_bytes())
        kept["c"] = [{**kept["a"][0], "generations": {"acc": "many"}}, disk.now]
        kept["d"] = [kept["a"][0], "never"]
        kept["e"] = [{**kept["a"][0], "since": float("nan")}, disk.now]
        file.write_text(json.dumps(kept))
        assert await shown(disk.store(), "b") == ["a", "b"]

    async def test_what_could_be_read_and_then_not_be_written_again_is_not_kept(
        self, disk: Disk
    ) -> None:
        await shown(disk.store(), "a")
        file = disk.directory / "_replicas.json"
        text = file.read_text().replace('"version"', f'"x": {"[" * 500}{"]" * 500}, "version"')
        file.write_text(text)
        assert await shown(disk.store(), "b") == ["a", "b"]
        assert "[[" not in file.read_text()

    async def test_no_more_of_them_are_kept_than_can_be(
        self, disk: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(presences, "MOST", 3)
        for name in ("a", "b", "c", "d"):
            await shown(disk.store(), name)
            disk.now += 1
        assert await shown(disk.store(), "a") == ["a", "c", "d"]

    async def test_one_from_the_future_is_not_shown(self, disk: Disk) -> None:
        await disk.store().beat(presence("a"))
        disk.now -= 3600.0
        assert await shown(disk.store(), "b") == ["b"]


class TestSettingAside:
    async def test_the_document_is_kept_under_another_name(self, disk: Disk) -> None:
        revision = await written(disk.store(), {"token": CANARY})
        before = disk.file.read_bytes()
        assert await disk.store().set_aside("acc", revision, "the field 'slots' is missing")
        (kept,) = disk.kept()
        assert kept.read_bytes() == before
        assert mode(kept) == 0o600
        (report,) = disk.reports
        assert "the field 'slots' is missing" in report
        assert CANARY not in report

    async def test_twice_in_a_second_both_are_kept(self, disk: Disk) -> None:
        for number in (1, 2):
            found = await disk.store().read("acc")
            revision = await written(disk.store(), {"n": number}, found.revision)
            assert await disk.store().set_aside("acc", revision, "no use")
        kept = [json.loads(path.read_bytes())["document"] for path in disk.kept()]
        assert kept == [{"n": 1}, {"n": 2}]

    async def test_of_nothing_reports_nothing(self, disk: Disk) -> None:
        assert await disk.store().set_aside("acc", NOTHING, "no use")
        assert not disk.reports
