"""What can be said of the Dockerfile without building it."""

import json
import re
import subprocess
from pathlib import Path

from gateway.settings import load
from tests.support.helm import tool
from tests.support.processes import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run(
        [tool("hadolint"), "--no-fail", "--format=json", "Dockerfile"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == []


def test_checkov_passes_it() -> None:
    done = subprocess.run(
        [
            *(tool("checkov"), "--file=Dockerfile", "--framework=dockerfile"),
            *("--output=json", "--skip-download"),
        ],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    results = json.loads(done.stdout)["results"]
    assert results["failed_checks"] == []
    assert len(results["passed_checks"]) > 20
    for one in results["skipped_checks"]:
        assert one["check_result"]["suppress_comment"].strip()


def pins(path: str) -> dict[str, list[str]]:
    """What a locked file says of each package: version and hashes."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in (ROOT / path).read_text().splitlines():
        if "==" in line:
            name = line.partition("==")[0]
            found[name] = []
        found[name].append(line.strip(" \\"))
    return found


def test_what_builds_the_wheel_is_locked_as_in_development() -> None:
    developers = pins("requirements/dev.txt")
    builders = pins("requirements/build.txt")
    assert "hatchling" in builders
    for name, lines in builders.items():
        assert len(lines) > 1, f"{name} has no hash"
        assert lines == developers[name]


def test_the_page_shows_a_file_that_works(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "docker.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    secret = tmp_path / "client-secret"
    secret.write_text("secret")
    assert "/run/secrets/client-secret" in text
    text = text.replace("/run/secrets/client-secret", str(secret)).replace(": ...", ": mine")
    (tmp_path / "gateway.yaml").write_text(text)
    settings = load(tmp_path / "gateway.yaml", {})
    assert settings.listen.host == settings.admin.host == "0.0.0.0"


def test_no_registry_and_no_index_is_named() -> None:
    assert not re.search(r"https?://|index-url|ghcr|docker\.io|quay", DOCKERFILE)
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert set(bases) == {"${PYTHON_IMAGE}", "dependencies"}
