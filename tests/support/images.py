"""The container image, really built and really run: `gateway_image()`, `base_image()`, `podman()`.

No image is pulled. What the Dockerfile calls its base is made here from Debian's packages, from
wherever the machine's own apt gets them; pip asks whom the machine's own pip asks. Everything is
kept below `.cache/containers` in the clone, and used again while nothing that it is made of has
changed; `make clean` removes it.

It takes root, and what `make test-deps` installs: without, tests are skipped, but for CI, where
they fail. Several processes may call these functions at once.
"""

import ast
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.needed import unavailable
from tests.support.redis_server import binary

ROOT: Final = Path(__file__).resolve().parents[2]
STATE: Final = ROOT / ".cache" / "containers"
"""Storage, configuration and locks; nothing of the machine's own containers is touched."""

SUITE: Final = "trixie"
"""The Debian whose Python is the one of the Dockerfile's base."""

PACKAGES: Final = "python3,python3-pip,python3-venv,ca-certificates"

TOOLS: Final = ("buildah", "podman", "runc", "mmdebstrap", "apt-get")

LIKE_THE_REAL_ONE: Final = r"""
rm -rf "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale "$1"/var/cache/apt
find "$1"/usr/lib/python3.* -name __pycache__ -prune -exec rm -r {} +
ln -s ../../bin/python3 "$1"/usr/local/bin/python
"""
"""As Docker's official image: `python` in /usr/local/bin, no bytecode."""

CA_BUNDLE: Final = Path("/etc/ssl/certs/ca-certificates.crt")
REVISION: Final = "0123456789abcdef0123456789abcdef01234567"
"""The label that says from which commit an image is: not of interest here, and so always this."""

LONGEST: Final = 500.0
"""Seconds for one command: a download may be slow."""


def require_tools() -> None:
    """Skip the test, or in CI fail it, where images cannot be built and run."""
    missing = [name for name in TOOLS if shutil.which(name) is None]
    if missing:
        unavailable(f"{', '.join(missing)} not installed: make test-deps")
    if os.geteuid() != 0:
        unavailable("only root builds and runs images here")
    if not debian_mirror():
        unavailable("apt here is not of Debian: there is nothing to make a base image from")


def _own() -> dict[str, str]:
    return {
        "CONTAINERS_CONF": str(STATE / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(STATE / "storage.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(STATE / "registries.conf"),
    }


def _conmon_variables() -> list[str]:
    return [f"{name}={text}" for name, text in {"PATH": os.environ["PATH"], **_own()}.items()]


def environment() -> dict[str, str]:
    """For whoever calls buildah or podman: storage and configuration of the clone alone."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("ZOOM_")}
    return {**kept, **_own(), "TMPDIR": str(_directory("tmp"))}


def finished(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a program in the clone, with `environment()`, and wait for its end."""
    configure()
    return subprocess.run(
        [program, *arguments],
        env=environment(),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )


def run(program: str, *arguments: str, check: bool = True) -> str:
    """The same; give what it printed. With `check`, a failure fails the test, with its words."""
    done = finished(program, *arguments)
    if check and done.returncode:
        words = " ".join([program, *arguments])
        pytest.fail(f"{words}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def podman(*arguments: str, check: bool = True) -> str:
    return run("podman", *arguments, check=check)


def inspect(kind: str, name: str) -> dict[str, object]:
    """What podman knows of an `image` or a `container`."""
    found = json.loads(podman(kind, "inspect", name))
    assert isinstance(found[0], dict)
    return found[0]


def gateway_image() -> str:
    """The name of the gateway's image, built from the clone's Dockerfile as it is now."""
    base = base_image()
    key = _digest(base, version(), *_inputs())
    name = f"localhost/zoom-gateway:test-{key}"
    with _locked():
        if not _there(name):
            _build(name)
            _forget("localhost/zoom-gateway", name)
    return name


def base_image() -> str:
    """The name under which the Dockerfile's base is there, made from Debian's packages."""
    require_tools()
    name = f"localhost/{_base_name()}"
    key = _digest(SUITE, PACKAGES, LIKE_THE_REAL_ONE)
    made = f"localhost/python-base:{key}"
    with _locked():
        if not _there(made):
            _import(made)
            _forget("localhost/python-base", made)
        run("podman", "tag", made, name)
    return made


def redis_image() -> str:
    """An image with nothing but this machine's Redis and the libraries that it needs."""
    require_tools()
    server, client = binary("redis-server"), binary("redis-cli")
    key = _digest(run(server, "--version"))
    name = f"localhost/redis:{key}"
    with _locked():
        if not _there(name):
            archive = _directory("tmp") / "redis.tar"
            with tarfile.open(archive, "w", dereference=True) as tar:
                for path in sorted({server, client, *_libraries(server), *_libraries(client)}):
                    tar.add(path)
            run("podman", "import", "--quiet", str(archive), name)
            archive.unlink()
    return name


def _libraries(program: str) -> set[str]:
    return set(re.findall(r"(?:=> |^\s)(/\S+)", run("ldd", program), re.MULTILINE))


def version() -> str:
    """The package's, read without importing it."""
    text = (ROOT / "gateway" / "__init__.py").read_text()
    found = re.search(r"^__version__ = (.+)$", text, re.MULTILINE)
    assert found
    return str(ast.literal_eval(found[1]))


@functools.cache
def debian_mirror() -> str:
    """Where this machine's apt gets Debian from; empty if it does not."""
    listed = subprocess.run(
        [
            *("apt-get", "indextargets", "--format", "$(SITE)|$(COMPONENT)"),
            *("Created-By: Packages", "Origin: Debian", "Label: Debian"),
        ],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    return next((one.partition("|")[0] for one in listed if one.endswith("|main")), "")


def _base_name() -> str:
    found = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert found, "the Dockerfile names no base"
    return found[1]


def _inputs() -> Iterator[str]:
    """Names and contents of all that an image is made of: what .dockerignore lets through."""
    ignore = ROOT / ".dockerignore"
    passed = [line[1:] for line in ignore.read_text().splitlines() if line.startswith("!")]
    for one in ("Dockerfile", ".dockerignore", *sorted(passed)):
        path = ROOT / one
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                yield str(file.relative_to(ROOT))
                yield hashlib.sha256(file.read_bytes()).hexdigest()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _there(name: str) -> bool:
    return bool(run("podman", "images", "--quiet", name))


def _import(name: str) -> None:
    archive = _directory("tmp") / "base.tar"
    hook = _directory("tmp") / "like-the-real-one.sh"
    hook.write_text(LIKE_THE_REAL_ONE)
    try:
        run(
            "mmdebstrap",
            *("--quiet", "--variant=minbase", f"--include={PACKAGES}"),
            f'--customize-hook=sh {hook} "$1"',
            *(SUITE, str(archive), debian_mirror()),
        )
        run("podman", "import", "--quiet", str(archive), name)
    finally:
        archive.unlink(missing_ok=True)


def _build(name: str) -> None:
    run(
        "buildah",
        *("build", "--quiet", "--isolation=chroot", "--pull-never", "--format=docker"),
        *(f"--build-arg=VERSION={version()}", f"--build-arg=REVISION={REVISION}"),
        *(f"--volume={one}:{inside}:ro" for one, inside in _mounts()),
        *("--tag", name, "."),
    )


def _mounts() -> Iterator[tuple[str, str]]:
    """What the machine's own pip works with: its CAs, its configuration, the directories in it."""
    if CA_BUNDLE.exists():
        yield str(CA_BUNDLE), str(CA_BUNDLE)
    lines = _pip_configuration()
    file = STATE / "pip.conf"
    file.write_text("\n".join(["[global]", *lines, ""]))
    yield str(file), "/etc/pip.conf"
    for path in sorted(_local_paths("\n".join(lines))):
        yield path, path


def _local_paths(text: str) -> set[str]:
    """The files and directories that pip's settings name, if they are there.

    Of an index it is the directory above: its pages point to files beside it.
    """
    found = set(re.findall(r"(?<=[ =])/[^\s'\"]+", text))
    found |= {str(Path(one).parent) for one in re.findall(r"(?<=file://)/[^\s'\"]+", text)}
    return {one for one in found if Path(one).exists()} - {"/", str(CA_BUNDLE)}


def _pip_configuration() -> list[str]:
    """Its settings for all commands, `key = value`; the environment's beat those of files."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    found: dict[str, str] = {}
    for section in ("global.", ":env:."):
        for line in listed:
            key, _, text = line.partition("=")
            if key.startswith(section):
                found[key.removeprefix(section)] = str(ast.literal_eval(text))
    return [f"{key} = {' '.join(text.split())}" for key, text in found.items()]


def _forget(repository: str, but: str) -> None:
    """Remove former ones: each is a few hundred megabytes."""
    listed = run("podman", "images", "--format", "{{.Repository}}:{{.Tag}}", repository)
    for one in listed.split():
        if one != but:
            run("podman", "rmi", one, check=False)
    run("podman", "image", "prune", "--force", check=False)


def _directory(name: str) -> Path:
    path = STATE / name
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def _locked() -> Iterator[None]:
    with (_directory("locks") / "images").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@functools.cache
def configure() -> None:
    """Write the configuration of buildah and podman. For who calls them by `environment()`."""
    graph, runroot = _directory("storage"), _directory("run")
    for name, lines in {
        "storage.conf": [
            "[storage]",
            f'driver = "{_driver()}"',
            f'graphroot = "{graph}"',
            f'runroot = "{runroot}"',
        ],
        "registries.conf": ["unqualified-search-registries = []"],
        "containers.conf": [
            "[containers]",
            'default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]',
            "[engine]",
            'cgroup_manager = "cgroupfs"',
            'events_logger = "file"',
            'runtime = "runc"',
            'lock_type = "file"',
            f'tmp_dir = "{_directory("podman")}"',
            # For the podman that a monitor calls when its container has ended.
            f"conmon_env_vars = {json.dumps(_conmon_variables())}",
            f'volume_path = "{_directory("volumes")}"',
            "[network]",
            f'network_config_dir = "{_directory("networks")}"',
        ],
    }.items():
        _replace(STATE / name, lines)


def _driver() -> str:
    """`overlay`, where the file system of the clone can be below one; `vfs` copies every file."""
    probe = _directory("probe")
    names = ("lower", "upper", "work", "merged")
    lower, upper, work, merged = (_directory(f"probe/{name}") for name in names)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    mounted = subprocess.run(
        ["mount", "-t", "overlay", "-o", options, "overlay", str(merged)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode == 0:
        subprocess.run(["umount", str(merged)], check=True)
    shutil.rmtree(probe, ignore_errors=True)
    return "vfs" if mounted.returncode else "overlay"


def _replace(path: Path, lines: Sequence[str]) -> None:
    """Whoever reads it meanwhile gets the former or the new one, whole."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text("\n".join([*lines, ""]))
    fresh.replace(path)
