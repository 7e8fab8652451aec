"""Is each module of the core covered by its own test file alone, every line and branch of it?

    python scripts/core_coverage.py [MODULE ...]

Runs `tests/core/test_<module>.py` under coverage for each module of `gateway/core`, a few at a
time, and says what is not reached. A module without a test file fails, unless `EXEMPT` says why
it needs none. Properties run with few examples: what is covered must not hang on chance.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

EXEMPT: Final[dict[str, str]] = {"presence": "plain data"}
"""Module: why it needs no test file. Only for plain data: no function, no branch."""

AT_ONCE: Final = 2
"""Processes at a time."""

EXAMPLES: Final = 10
"""Examples of each property."""

TIMEOUT: Final = 300
"""Seconds for one module."""


@dataclass(frozen=True)
class Finding:
    module: str
    problem: str
    """Empty if the module is covered."""


def pytest_configure() -> None:
    """This file is also the plugin that keeps the properties short, and always the same."""
    from hypothesis import settings  # noqa: PLC0415  the script itself needs none

    settings.register_profile(
        "core", max_examples=EXAMPLES, deadline=None, derandomize=True, database=None
    )
    settings.load_profile("core")


def modules(root: Path) -> list[str]:
    found = sorted(path.stem for path in (root / "gateway" / "core").glob("*.py"))
    return [name for name in found if name != "__init__"]


def examine(root: Path, module: str) -> Finding:
    test = root / "tests" / "core" / f"test_{module}.py"
    if module in EXEMPT:
        return Finding(module, "exempt, but has a test file" if test.exists() else "")
    if not test.exists():
        return Finding(module, f"has no test file {test.relative_to(root)}")
    with tempfile.TemporaryDirectory() as scratch:
        return Finding(module, _measure(root, module, test, Path(scratch) / "coverage"))


def _measure(root: Path, module: str, test: Path, data: Path) -> str:
    plugin = Path(__file__).resolve()
    environment = {
        **os.environ,
        "COVERAGE_FILE": str(data),
        "PYTHONPATH": os.pathsep.join([str(root), str(plugin.parent)]),
    }

    def coverage(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(  # noqa: S603  our own interpreter, our own arguments
            [sys.executable, "-m", "coverage", *arguments],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    pytest = ["-m", "pytest", "-q", "-p", plugin.stem, "-p", "no:cacheprovider", str(test)]
    ran = coverage("run", "--branch", "--source=gateway.core", *pytest)
    if ran.returncode:
        return f"its tests fail:\n{ran.stdout[-3000:]}{ran.stderr[-3000:]}"
    path = Path("gateway") / "core" / f"{module}.py"
    found = coverage("report", "--show-missing", "--fail-under=100", f"--include={path}")
    return "" if found.returncode == 0 else f"is not covered by {test.name}:\n{found.stdout}"


def main(names: Sequence[str], root: Path) -> int:
    wanted = list(names) or modules(root)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda module: examine(root, module), wanted))
    problems = [one for one in found if one.problem]
    for one in problems:
        sys.stderr.write(f"gateway/core/{one.module}.py {one.problem}\n")
    sys.stdout.write(f"{len(found) - len(problems)} of {len(found)} modules of the core covered\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(__file__).resolve().parent.parent))
