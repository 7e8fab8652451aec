"""Who can read, and who can replace, what holds secrets; and where bodies are kept."""

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from gateway.cli.doctor.case import Case
from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.core.errors import ConfigurationError
from gateway.settings import Settings
from gateway.settings.secret_places import secret_files, secrets_in

BODIES: Final = 4
"""The largest bodies that should fit into the spool's directory side by side."""

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

_MOUNTS: Final = (Path("/run/secrets"), Path("/var/run/secrets"))
"""Where Docker, Podman and Kubernetes put secrets."""

_NAMED: Final = 10
"""Files that a finding names."""


async def files(case: Case) -> AsyncIterator[Finding]:
    # In a thread: a network's file system may hang.
    for finding in await asyncio.to_thread(lambda: list(_files(case.settings, case.config))):
        yield finding


def _files(settings: Settings, config: Path | None) -> Iterator[Finding]:
    secret = list(_secret_files(settings, config))
    found = [finding for what, path in secret for finding in _look_at(what, path)]
    directory = settings.store.directory
    if directory is not None and directory.is_dir():
        found += _look_at("the store's directory", directory)
        found += _stored(directory)
    yield from found
    if secret and not found:
        names = [str(path) for _, path in secret]
        text = "Only its owner can read each file that holds a secret, or replace it."
        yield Finding(Code.FILES_PRIVATE, Level.OK, "files", text, details={"files": names})


def _secret_files(settings: Settings, config: Path | None) -> Iterator[tuple[str, Path]]:
    if config is not None and _holds_a_secret(config, settings):
        yield "the configuration file", config
    yield from secret_files(settings)


def _holds_a_secret(config: Path, settings: Settings) -> bool:
    try:
        return bool(secrets_in(config, settings))
    except ConfigurationError:  # it was there a moment ago: who needs it next will tell
        return False


def _look_at(what: str, path: Path) -> Iterator[Finding]:
    try:
        mode = path.stat().st_mode
        open_to_all = [str(one) for one in path.resolve().parents if _replaceable(one)]
        mounted = _is_mounted_for_us(path)
    except OSError:
        return  # it was there when the settings were read: who needs it next will tell
    # In a directory that others may enter, each file of the store is still its owner's alone.
    exposed = stat.S_IWGRP | stat.S_IWOTH if stat.S_ISDIR(mode) else _OTHERS
    if mode & exposed:
        yield _mounted(what, path, mode) if mounted else _exposed(what, path, mode)
    for directory in open_to_all:
        yield Finding(
            Code.PATH_REPLACEABLE,
            Level.WARNING,
            str(path),
            f"Everybody can write to the directory {directory}, and so put another file in the "
            f"place of {what} {path}.",
            f"chmod o-w {directory}, or chmod +t {directory} if others must write there.",
            {"directory": directory},
        )


def _replaceable(directory: Path) -> bool:
    mode = directory.stat().st_mode
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _is_mounted_for_us(path: Path) -> bool:
    """Whether it lies in what an orchestrator mounts into one container.

    Kubernetes makes a secret's files readable for all by default, and few tools do otherwise;
    nobody else sees that mount, and nobody can write to it.
    """
    target = path.resolve()
    return (
        any(target.is_relative_to(one) for one in _MOUNTS)
        # The link by which Kubernetes puts other content in place, in every volume of its own.
        or any((one / "..data").is_symlink() for one in path.parents)
        or bool(os.statvfs(target).f_flag & os.ST_RDONLY)
    )


def _mounted(what: str, path: Path, mode: int) -> Finding:
    return Finding(
        Code.FILE_EXPOSED,
        Level.NOTICE,
        str(path),
        f"All users of this container can read {what} {path}; it is mounted into it.",
        "None, as long as no other user's program runs in here. In Kubernetes, defaultMode: 0440 "
        "and fsGroup give it to the gateway alone.",
        {"mode": f"{stat.S_IMODE(mode):04o}"},
    )


def _exposed(what: str, path: Path, mode: int) -> Finding:
    verb, right = ("write to", "700") if stat.S_ISDIR(mode) else ("read", "600")
    return Finding(
        Code.FILE_EXPOSED,
        Level.WARNING,
        str(path),
        f"Others than its owner can {verb} {what} {path}.",
        f"chmod {right} {path}; in a container, mount it for the gateway's user alone.",
        {"mode": f"{stat.S_IMODE(mode):04o}"},
    )


def _stored(directory: Path) -> Iterator[Finding]:
    """The tokens' files: the gateway makes them its own alone, a copy or a backup may not."""
    modes = {one: one.stat().st_mode for one in directory.glob("[!.]*.json*")}
    exposed = sorted(str(one) for one, mode in modes.items() if mode & _OTHERS)
    if exposed and directory.stat().st_mode & (stat.S_IXGRP | stat.S_IXOTH):
        yield Finding(
            Code.FILE_EXPOSED,
            Level.WARNING,
            str(directory),
            f"Others than their owner can read files with tokens in {directory}.",
            f"chmod 700 {directory}; chmod 600 {directory}/*",
            {"files": exposed[:_NAMED]},
        )


async def spool(case: Case) -> AsyncIterator[Finding]:
    finding = await asyncio.to_thread(_spool, case.settings)
    yield finding
    free, most = finding.details.get("free_bytes"), case.settings.limits.kept_disk
    if free is not None and free < most:
        yield Finding(
            Code.KEPT_DISK_TOO_LARGE,
            Level.WARNING,
            "limits.kept_disk",
            f"All bodies together may take {_size(most)} (limits.kept_disk), and {_size(free)} are "
            f"free in {finding.details['directory']}.",
            "Make room there, name another directory in replay.dir, or lower limits.kept_disk.",
            {"free_bytes": free, "kept_disk": most},
        )


def _spool(settings: Settings) -> Finding:
    replay = settings.replay
    directory = Path(tempfile.gettempdir() if replay.dir == "auto" else replay.dir)
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            os.write(file.fileno(), b"x")
        free = shutil.disk_usage(directory).free
    except OSError as problem:
        return Finding(
            Code.SPOOL_UNWRITABLE,
            Level.PROBLEM,
            "replay.dir",
            f"No file can be written in {directory}: {problem.strerror}. A call whose body is "
            f"larger than replay.memory_limit ({replay.memory_limit} bytes) is not sent again.",
            "Let the gateway's user write there, or name another directory in replay.dir.",
            {"directory": str(directory)},
        )
    details = {"directory": str(directory), "free_bytes": free, "disk_limit": replay.disk_limit}
    if free < BODIES * replay.disk_limit:
        return Finding(
            Code.SPOOL_SPACE_LOW,
            Level.WARNING,
            "replay.dir",
            f"{directory} has {_size(free)} free: less than {BODIES} bodies of replay.disk_limit "
            f"({_size(replay.disk_limit)}) need.",
            "Make room there, name another directory in replay.dir, or lower replay.disk_limit.",
            details,
        )
    text = f"Bodies can be kept in {directory}, which has {_size(free)} free."
    return Finding(Code.SPOOL_OK, Level.OK, "replay.dir", text, details=details)


def _size(count: int) -> str:
    mebi = count / (1 << 20)
    return f"{mebi / 1024:.1f} GiB" if mebi >= 1024 else f"{mebi:.0f} MiB"  # noqa: PLR2004  the unit's own
