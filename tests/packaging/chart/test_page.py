"""docs/kubernetes.md: its values are values, and what it names is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.helm import Document, Helm
from tests.support.processes import ROOT

PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(match[1], match[2]) for match in FENCE.finditer(PAGE)]
VALUES = [
    yaml.safe_load(text)
    for language, text in BLOCKS
    if language == "yaml" and text.startswith("# values.yaml\n")
]
NUMBER = 8


def external_secret() -> Document:
    found = next(yaml.safe_load(text) for _, text in BLOCKS if "kind: ExternalSecret" in text)
    assert isinstance(found, dict)
    return found


def options() -> Iterator[str]:
    """The keys that the page sets or names, with a dot in them."""
    yield from re.findall(r"--set ([\w.]+)=", PAGE)
    yield from re.findall(
        r"`((?:autoscaling|credentials|image|networkPolicy|prometheusRule|serviceMonitor|tls|tmp)"
        r"\.[\w.]+)`",
        PAGE,
    )


def test_there_are_values() -> None:
    assert len(VALUES) == NUMBER


@pytest.mark.parametrize("number", range(NUMBER))
def test_values_are_values(helm: Helm, number: int) -> None:
    found = helm.render(VALUES[number])
    assert found.one("Deployment")


def test_values_for_another_chart(helm: Helm, app: Path) -> None:
    values, more = (yaml.safe_load(text) for _, text in BLOCKS if "# values.yaml of your" in text)
    assert helm.render(values, app).gateway["restartPolicy"] == "Always"
    both = {"zoom-gateway": values["zoom-gateway"] | more["zoom-gateway"]}
    found = helm.render(both, app)
    directory = found.config["listen"]["socket"].rpartition("/")[0]
    (mounted,) = (one for one in found.gateway["volumeMounts"] if one["mountPath"] == directory)
    assert mounted["name"] in {one["name"] for one in found.pod["volumes"]}


def test_keys_exist() -> None:
    known = yaml.safe_load((ROOT / "helm" / "values.yaml").read_text())
    named = set(options())
    assert len(named) > 10
    for option in named:
        found = known
        for step in option.split("."):
            assert step in found, option
            found = found[step]


def test_the_rights_in_redis_are_those_of_the_page_on_fleets() -> None:
    (here,) = re.findall(r"^ACL SETUSER .*$", PAGE, re.MULTILINE)
    assert here in (ROOT / "docs" / "fleet.md").read_text()


def test_secrets_have_the_keys_that_the_chart_looks_for(helm: Helm) -> None:
    found = helm.render({"credentials": {"existingSecret": "zoom"}})
    (files,) = (one["secret"]["items"] for one in found.pod["volumes"] if "secret" in one)
    variables = [one["valueFrom"]["secretKeyRef"]["key"] for one in found.gateway["env"]]
    keys = {*variables, *(item["key"] for item in files)}
    assert keys == {"account-id", "client-id", "client-secret"}
    made = re.search(r"create secret generic zoom \\\n((?: .*\n)+)", PAGE)
    assert made
    assert set(re.findall(r"--from-(?:literal|file)=([\w-]+)=", made[1])) == keys
    secret = external_secret()
    assert {one["secretKey"] for one in secret["spec"]["data"]} == keys
    assert secret["spec"]["target"]["name"] == "zoom"
    store = VALUES[1]["store"]
    made = re.search(rf"create secret generic {store['existingSecret']} \\\n((?: .*\n)+)", PAGE)
    assert made
    assert set(re.findall(r"--from-literal=([\w-]+)=", made[1])) == set(store["keys"].values())


def test_the_template_is_used_as_in_the_chart_that_is_tested() -> None:
    (lines,) = (text for language, text in BLOCKS if language == "text")
    ours = (Path(__file__).parent / "app" / "templates" / "deployment.yaml").read_text()
    used = re.findall(r"include .*?(?= \|)", lines)
    assert len(used) == 3
    assert used == re.findall(r"include .*?(?= \|)", ours)


def test_names_are_those_of_a_release_called_zoom_gateway(helm: Helm) -> None:
    found = helm.render({"credentials": {"existingSecret": "zoom"}}, release="zoom-gateway")
    there = {f"{one['kind'].lower()}/{one['metadata']['name']}" for one in found.documents}
    named = set(re.findall(r"\b((?:deployment|service)/[\w-]+)", PAGE))
    assert named
    assert named <= there
