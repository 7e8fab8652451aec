import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.private import NoPlaceError, PrivateDirectory
from gateway.cli.supervisor import pause


def test_a_worker_that_dies_again_and_again_is_started_less_and_less_often() -> None:
    waits = [pause(early) for early in range(9)]
    assert waits == [0, 0, 1, 2, 4, 8, 16, 30, 30]


def test_the_directory_is_for_its_owner_alone_and_goes_when_it_is_removed(tmp_path: Path) -> None:
    directory = PrivateDirectory({"XDG_RUNTIME_DIR": str(tmp_path)})
    assert directory.path.parent == tmp_path
    assert directory.path.stat().st_mode & 0o777 == 0o700
    (directory.path / "metrics").mkdir()
    directory.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_does_not_exist_is_passed_over(tmp_path: Path) -> None:
    directory = PrivateDirectory({"XDG_RUNTIME_DIR": str(tmp_path / "none")})
    try:
        assert directory.path.parent != tmp_path
    finally:
        directory.remove()


def test_without_any_place_all_that_were_tried_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = tmp_path / "none"
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(none))
    monkeypatch.setattr(Path, "is_dir", lambda _: False)
    with pytest.raises(NoPlaceError, match=f"{none}: No such file or directory"):
        PrivateDirectory({})


def test_without_a_temporary_directory_the_usual_one_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_is_usable() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/']")

    monkeypatch.setattr("tempfile.gettempdir", none_is_usable)
    monkeypatch.setattr(Path, "is_dir", lambda _: False)
    with pytest.raises(NoPlaceError, match=r"^/proc/none: No such file or directory$"):
        PrivateDirectory({"TMPDIR": "/proc/none"})


def test_what_a_process_left_behind_is_removed_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    places = {"XDG_RUNTIME_DIR": str(tmp_path)}
    make = (
        "import os; from gateway.cli.private import PrivateDirectory; "
        "print(PrivateDirectory(os.environ).path)"
    )
    left = subprocess.check_output(
        [sys.executable, "-c", make], env={**os.environ, **places}, text=True
    )
    assert Path(left.strip()).is_dir()
    (tmp_path / "zoom-gateway-of-something-else").mkdir()
    first = PrivateDirectory(places)
    second = PrivateDirectory(places)
    there = {first.path, second.path, tmp_path / "zoom-gateway-of-something-else"}
    assert set(tmp_path.iterdir()) == there
    first.remove()
    second.remove()
