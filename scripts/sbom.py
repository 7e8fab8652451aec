"""Write the bill of materials (CycloneDX, JSON) of what a locked file of requirements installs.

    python scripts/sbom.py [--requirements FILE] [--output FILE]

It names each package with its version, its licence and the hashes of every distribution that the
lock allows, and ourselves. The same clone gives the same bytes: the serial number is made of the
content, and there is no time but that of SOURCE_DATE_EPOCH.
"""

import argparse
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

ROOT: Final = Path(__file__).resolve().parents[1]
LICENCES: Final = ROOT / "scripts" / "licences.txt"

_LINE: Final = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)(?: ; (.+?))?((?: --hash=sha256:\w{64})+)")
_LICENCE: Final = LicenseFactory()


@dataclass(frozen=True, slots=True)
class Locked:
    """A package of the lock. `marker` says on which Python it is needed; empty: on all."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


def locked(text: str) -> list[Locked]:
    """What a file of requirements locks. Raises ValueError for a line that locks nothing."""
    found = []
    for line in text.replace("\\\n", "").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(re.sub(r"\s+", " ", line.strip()))
        if match is None:
            raise ValueError(f"no locked requirement: {line[:80]}")
        name, version, marker, hashes = match.groups(default="")
        found.append(Locked(name, version, marker, tuple(re.findall(r"\w{64}", hashes))))
    return found


def licences() -> dict[str, str]:
    """The SPDX expression of each package's licence."""
    lines = (line.split(maxsplit=1) for line in LICENCES.read_text().splitlines())
    return {name: expression for name, expression in lines if name != "#"}


def bill(packages: list[Locked], version: str, environ: Mapping[str, str]) -> Bom:
    known = licences()
    ourselves = Component(
        type=ComponentType.APPLICATION,
        name="zoom-gateway",
        version=version,
        bom_ref="zoom-gateway",
        purl=PackageURL("pypi", name="zoom-gateway", version=version),
        licenses=[_LICENCE.make_from_string("Apache-2.0")],
    )
    content = "\n".join(f"{one}" for one in (version, *packages))
    # The library's own defaults are chance, and the moment.
    made = Bom(serial_number=uuid5(NAMESPACE_URL, content))
    epoch = environ.get("SOURCE_DATE_EPOCH")
    made.metadata.timestamp = datetime.fromtimestamp(int(epoch), UTC) if epoch else None
    made.metadata.component = ourselves
    components = [_component(one, known[one.name]) for one in packages]
    for one in components:
        made.components.add(one)
    made.register_dependency(ourselves, components)
    return made


def _component(one: Locked, licence: str) -> Component:
    purl = PackageURL("pypi", name=one.name, version=one.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=one.name,
        version=one.version,
        bom_ref=one.name,
        purl=purl,
        licenses=[_LICENCE.make_from_string(licence)],
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(purl.to_string()),
                comment="each distribution that may be installed",
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in one.hashes],
            )
        ],
        properties=[Property(name="zoom-gateway:marker", value=one.marker)] if one.marker else (),
    )


def written(made: Bom) -> str:
    """The document. Raises ValueError if CycloneDX's schema does not allow it."""
    text: str = JsonV1Dot6(made).output_as_string(indent=2)
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        raise ValueError(f"the schema does not allow it: {wrong}")
    return f"{text}\n"


def own_version() -> str:
    text = (ROOT / "gateway" / "__init__.py").read_text()
    return re.findall(r'^__version__ = "(.*)"$', text, re.MULTILINE)[0]


def main() -> int:
    parser = argparse.ArgumentParser(description="The bill of materials of locked requirements.")
    parser.add_argument("--requirements", type=Path, default=ROOT / "requirements" / "run.txt")
    parser.add_argument("--output", type=Path, help="a file, instead of standard output")
    options = parser.parse_args()
    packages = locked(options.requirements.read_text())
    text = written(bill(packages, own_version(), os.environ))
    if options.output is None:
        sys.stdout.write(text)
    else:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
