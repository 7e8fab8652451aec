"""What is installed is what was looked at: locked, hashed, listed, under licences that we know."""

import json
import os
import re
import runpy
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from gateway import __version__

ROOT = Path(__file__).resolve().parents[1]
SBOM = runpy.run_path(str(ROOT / "scripts" / "sbom.py"))
AUDIT = runpy.run_path(str(ROOT / "scripts" / "audit.py"))
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))

PERMISSIVE = {"MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "PSF-2.0"}
OTHERS = {"certifi": "MPL-2.0"}
"""The Mozilla licence is about changes of that package's own files, and we change none."""

NAMES = {
    "bsd license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}
"""SPDX's names for what packages write."""

INSTALLS = re.compile(r"\bpip\b[^&|;\n]*?\binstall\b[^&|;\n]*", re.MULTILINE)
FETCHES = re.compile(r"\b(curl|wget|git clone|npm|pipx|ADD https?)\b|https?://", re.IGNORECASE)


def lock(name: str) -> dict[str, Any]:
    text = (ROOT / "requirements" / name).read_text()
    return {one.name: one for one in SBOM["locked"](text)}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_each_requirement_is_one_version_with_hashes_and_no_address(path: Path) -> None:
    text = path.read_text()
    packages = SBOM["locked"](text)
    # Envoy, for the benchmarks, needs nothing else.
    assert len(packages) > (0 if path.name == "bench.txt" else 3)
    assert all(one.hashes for one in packages)
    # Two entries of a package are for different Pythons.
    assert len({(one.name, one.marker) for one in packages}) == len(packages)
    assert not re.search(r"://|^\s*-(?!-hash=)", text, re.MULTILINE)


@pytest.mark.parametrize(
    "line",
    [
        "aiohttp",
        "aiohttp>=3",
        "aiohttp==3.14.5",
        "aiohttp @ file:///aiohttp.whl",
        "--index-url x",
        "-e .",
        f"aiohttp==3.14.5 --hash=md5:{'0' * 32}",
    ],
)
def test_what_locks_nothing_is_found(line: str) -> None:
    with pytest.raises(ValueError, match="no locked requirement"):
        SBOM["locked"](line)


def commands(path: str) -> str:
    """The file without comments; a line that goes on is one."""
    text = (ROOT / path).read_text().replace("\\\n", " ")
    return re.sub(r"(^|\s)#.*", "", text)


@pytest.mark.parametrize(
    "path",
    [
        "Dockerfile",
        "scripts/venv.sh",
        "scripts/packaging_venv.sh",
        "scripts/bench_deps.sh",
    ],
)
def test_nothing_is_installed_without_its_hash(path: str) -> None:
    installs = INSTALLS.findall(commands(path))
    assert installs
    for one in installs:
        assert "--require-hashes" in one or "--no-deps" in one, one
        # Without dependencies: our own wheel, or this clone.
        assert "--require-hashes" in one or re.search(r"dist/\*\.whl|--editable \.", one), one


@pytest.mark.parametrize(
    "path",
    [
        "Makefile",
        ".ci/run",
        "Dockerfile",
        *(f"scripts/{n.name}" for n in (ROOT / "scripts").glob("*.sh")),
    ],
)
def test_nothing_is_fetched_but_by_the_package_managers(path: str) -> None:
    # Those that are installed for the tests to use are named there.
    text = re.sub(r"^need \w[\w-]* \w[\w-]*$", "", commands(path), flags=re.MULTILINE)
    # It installs what its lock names, and checks each hash.
    text = re.sub(r"^npm ci --prefix \S+ --ignore-scripts .*$", "", text, flags=re.MULTILINE)
    assert not FETCHES.search(text)


def test_the_locks_are_made_with_hashes() -> None:
    assert "--generate-hashes" in commands("scripts/lock.sh")


# The bill of materials.


def bill(directory: Path, seed: str) -> str:
    output = directory / "build" / "sbom.json"
    done = subprocess.run(
        [sys.executable, "scripts/sbom.py", f"--output={output}"],
        cwd=ROOT,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1800000000", "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return output.read_text()


def test_the_bill_lists_what_is_locked_and_ourselves_each_time_the_same(tmp_path: Path) -> None:
    text = bill(tmp_path, "1")
    assert text == bill(tmp_path, "2")
    document = json.loads(text)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["timestamp"].startswith("2027-01-15T08:00:00")
    listed = {
        (one["name"], one["version"], tuple(sorted(h["content"] for h in reference["hashes"])))
        for one in document["components"]
        for reference in one["externalReferences"]
    }
    packages = lock("run.txt").values()
    assert listed == {(one.name, one.version, tuple(sorted(one.hashes))) for one in packages}
    assert all(one["licenses"] for one in document["components"])
    ourselves = document["metadata"]["component"]
    assert (ourselves["name"], ourselves["version"]) == ("zoom-gateway", __version__)
    needed = {one["ref"]: one.get("dependsOn") for one in document["dependencies"]}
    assert set(needed["zoom-gateway"]) == set(lock("run.txt"))


def test_the_images_bill_lists_what_the_image_installs() -> None:
    assert "--requirement requirements/otel.txt" in commands("Dockerfile")
    packages = list(lock("otel.txt").values())
    made = SBOM["bill"](packages, "1.2.3", {})
    assert {(one.name, one.version) for one in made.components} == {
        (one.name, one.version) for one in packages
    }
    assert made.serial_number != SBOM["bill"](packages[1:], "1.2.3", {}).serial_number


def test_a_bill_that_the_schema_does_not_allow_is_refused() -> None:
    made = SBOM["bill"]([], "1.2.3", {})
    made.version = 0
    with pytest.raises(ValueError, match="schema"):
        SBOM["written"](made)


# Licences.


def parts(expression: str) -> set[str]:
    return set(re.split(r" (?:AND|OR) ", expression))


def test_each_package_has_a_licence_that_asks_for_little() -> None:
    known = SBOM["licences"]()
    assert known.keys() == lock("otel.txt").keys() >= lock("run.txt").keys()
    for name, expression in known.items():
        assert parts(expression) <= PERMISSIVE or expression == OTHERS[name], name


def test_each_licence_is_what_the_package_says() -> None:
    for name, expression in SBOM["licences"]().items():
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            assert lock("otel.txt")[name].marker  # not needed by this Python
            continue
        told = next(iter(about.get_all("License-Expression") or about.get_all("License") or []), "")
        classifiers = (
            one.rpartition(" :: ")[2]
            for one in about.get_all("Classifier", ())
            if one.startswith("License ::")
        )
        texts = [told, *classifiers]
        spdx = {part for text in texts for part in parts(NAMES.get(text.lower(), text)) if part}
        assert parts(expression) <= spdx, (name, expression, spdx)


# The audit. What it asks is elsewhere, and so is no part of the tests.


def dependency(name: str, **about: Any) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": [], **about}


@pytest.mark.parametrize(
    ("found", "code", "said"),
    [
        ([dependency("a"), dependency("b")], 0, "2 packages, none of which is known"),
        (None, 3, "NOT AUDITED: the database of advisories cannot be reached"),
        ([], 3, "NOT AUDITED"),
        ([dependency("a"), {"name": "b", "skip_reason": "x"}], 3, "NOT AUDITED: 1 of 2: b"),
        (
            [
                dependency("a", vulns=[{"id": "CVE-1", "fix_versions": ["1.1"]}]),
                {"name": "b", "skip_reason": "x"},
            ],
            1,
            "a 1.0: CVE-1 (mended in 1.1)",
        ),
        ([dependency("a", vulns=[{"id": "CVE-1", "fix_versions": []}])], 1, "mended in no version"),
    ],
)
def test_an_audit_says_what_it_did_not_find_out(found: Any, code: int, said: str) -> None:
    judged, lines = AUDIT["judge"]("run.txt", found)
    assert judged == code
    assert any(said in line for line in lines)


def test_an_audit_without_a_network_is_none() -> None:
    """A proxy at which nobody listens: nothing can be asked, and that is not good news."""
    nobody = "http://127.0.0.1:9"
    env = {**os.environ, "HTTPS_PROXY": nobody, "HTTP_PROXY": nobody, "NO_PROXY": ""}
    env |= {name.lower(): env[name] for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")}
    done = subprocess.run(
        [sys.executable, "scripts/audit.py", "requirements/build.txt"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert "requirements/build.txt: NOT AUDITED" in done.stdout
