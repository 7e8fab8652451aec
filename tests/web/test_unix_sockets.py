"""The Unix socket's file: whose it is, who may open it, what is never touched."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from gateway.web.unix_sockets import UnixSocket


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("s") / "proxy.sock"
    assert len(os.fsencode(found)) < 108
    return found


def refused(path: Path) -> OSError:
    with pytest.raises(OSError) as caught:  # noqa: PT011  the test looks at it
        UnixSocket(path, 0o660)
    assert caught.value.filename == f"unix:{path}"
    return caught.value


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_the_file_has_the_mode_from_its_first_moment(
    path: Path, mode: int, umask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    bind = socket.socket.bind

    class Watched(socket.socket):
        def bind(self, address: object) -> None:
            bind(self, address)  # type: ignore[arg-type]  # the path
            seen.append(stat.S_IMODE(path.lstat().st_mode))

    monkeypatch.setattr(socket, "socket", Watched)
    former = os.umask(umask)
    try:
        made = UnixSocket(path, mode)
        assert os.umask(umask) == umask
    finally:
        os.umask(former)
    assert seen == [mode]
    assert stat.S_IMODE(path.lstat().st_mode) == mode
    made.listening.close()
    made.remove()
    assert not path.exists()


def test_the_socket_of_one_that_died_is_replaced_and_one_in_use_is_not(path: Path) -> None:
    first = UnixSocket(path, 0o660)
    problem = refused(path)
    assert problem.errno == errno.EADDRINUSE
    assert "another gateway" in str(problem.strerror)
    first.listening.close()  # as a process that is killed
    second = UnixSocket(path, 0o660)
    # The first one's removal comes late, and the file is another's by now.
    first.remove()
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(path))
    second.listening.close()
    second.remove()
    assert not path.exists()


def test_one_that_so_many_wait_for_that_it_takes_no_more_is_in_use(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(path))
        busy.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(str(path))
        assert refused(path).errno == errno.EADDRINUSE
        for one in waiting:
            one.close()


def test_a_socket_for_datagrams_is_anothers(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        assert refused(path).errno == errno.EADDRINUSE
    assert path.exists()


def test_what_is_no_socket_is_never_touched(path: Path) -> None:
    path.write_text("precious")
    assert "no socket" in str(refused(path).strerror)
    assert path.read_text() == "precious"
    path.unlink()
    path.mkdir()
    refused(path)
    assert path.is_dir()


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_never_followed(path: Path, exists: bool) -> None:  # noqa: FBT001  a column
    target = path.with_name("target")
    if exists:
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(target))
    path.symlink_to(target)
    refused(path)
    assert path.is_symlink()
    assert target.exists() is exists


def test_a_file_that_took_the_sockets_place_is_left_alone(path: Path) -> None:
    made = UnixSocket(path, 0o660)
    path.unlink()
    path.write_text("precious")
    made.remove()
    made.listening.close()
    assert path.read_text() == "precious"
    made.remove()  # once more does no harm


def test_a_directory_that_is_not_there_is_named(path: Path) -> None:
    missing = path.parent / "missing" / "proxy.sock"
    assert f"the directory {missing.parent} does not exist" in str(refused(missing).strerror)
    file = path.parent / "file"
    file.touch()
    assert "is no directory" in str(refused(file / "proxy.sock").strerror)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_to_is_named(path: Path) -> None:
    path.parent.chmod(0o500)
    assert f"uid {os.geteuid()}" in str(refused(path).strerror)


def test_who_locks_the_directory_for_good_keeps_nobody_from_starting(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl  # noqa: PLC0415  here alone

    monkeypatch.setattr("gateway.web.unix_sockets._PATIENCE", 0.1)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        made = UnixSocket(path, 0o660)
        made.listening.close()
        made.remove()
        assert not path.exists()
    finally:
        os.close(handle)
