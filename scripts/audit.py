"""Ask for known vulnerabilities of what the locked files install.

    python scripts/audit.py [FILE ...]

Exit code 0: each package was looked up, and none is known to be vulnerable; 1: some are; 3: it
could not be found out, as there is no way to the database of advisories. Nothing is installed.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
FILES: Final = ("requirements/run.txt", "requirements/otel.txt")

SOUND, VULNERABLE, UNKNOWN = 0, 1, 3
"""Exit codes; 2 is that of a wrong command line."""

PATIENCE: Final = 300
"""Seconds for a file."""


def ask(file: Path) -> list[dict[str, Any]] | None:
    """What pip-audit says of each package; None: it could not say anything."""
    command = [sys.executable, "-m", "pip_audit", "--format=json", "--progress-spinner=off"]
    options = ["--require-hashes", "--disable-pip", f"--requirement={file}"]
    try:
        done = subprocess.run(  # noqa: S603  this Python, and a file of ours
            [*command, *options], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, subprocess.TimeoutExpired):
        return None
    return found


def judge(file: str, found: list[dict[str, Any]] | None) -> tuple[int, list[str]]:
    """The exit code, and what there is to say."""
    if not found:
        return UNKNOWN, [f"{file}: NOT AUDITED: the database of advisories cannot be reached."]
    bad = [
        f"{file}: {one['name']} {one['version']}: {flaw['id']}"
        f" (mended in {', '.join(flaw['fix_versions']) or 'no version'})"
        for one in found
        for flaw in one.get("vulns", ())
    ]
    # The tool itself takes what it did not find for sound.
    skipped = [one["name"] for one in found if "skip_reason" in one]
    if skipped:
        bad.append(f"{file}: NOT AUDITED: {len(skipped)} of {len(found)}: {', '.join(skipped)}")
    if not bad:
        return SOUND, [f"{file}: {len(found)} packages, none of which is known to be vulnerable."]
    return (VULNERABLE if len(bad) > bool(skipped) else UNKNOWN), bad


def main(files: Sequence[str]) -> int:
    codes = set()
    for file in files or FILES:
        code, lines = judge(file, ask(ROOT / file))
        codes.add(code)
        for line in lines:
            sys.stdout.write(f"{line}\n")
    return next(code for code in (VULNERABLE, UNKNOWN, SOUND) if code in codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
