"""The names in the pages exist: variables, keys, metrics, the simulator's verbs."""

import re
from pathlib import Path
from typing import Final

import click
import promql_parser
import pytest
import yaml

from gateway.cli.commands import program
from gateway.settings import Settings, schema
from gateway.settings.environment import path_of
from gateway.sim.control_http import VERBS
from tests.docs.pages import DOCS, PAGES, ROOT, Block, all_blocks, name, spans

PLACEHOLDERS: Final = {"ZOOM_GATEWAY_SECTION__KEY"}
INJECTED: Final = {"ZOOM_GATEWAY_PORT"}
"""By Kubernetes, and not ours."""

OF_THE_CHART: Final = (DOCS / "kubernetes.md", ROOT / "helm/README.md")
"""Where a name with dots may be a value of the chart: both have sections `tls` and `store`."""

_SERIES: Final = ("_bucket", "_sum", "_count")


def of_options() -> set[str]:
    """The variables that stand for options of commands."""
    context = click.Context(program)
    commands = (program.get_command(context, one) for one in program.list_commands(context))
    return {
        variable
        for command in commands
        if command
        for option in command.params
        for variable in ([option.envvar] if isinstance(option.envvar, str) else option.envvar or ())
    }


def sets_a_key(variable: str) -> bool:
    path = ["0" if step == "n" else step for step in path_of(variable)]
    return schema.find(path) is not None


def is_key(dotted: str) -> bool:
    path = re.sub(r"\[(\w+)\]", r".\1", dotted).split(".")
    found = schema.find(["0" if step == "N" else step for step in path])
    return found is not None


def is_value(dotted: str) -> bool:
    """Of the chart; below a map that is empty by default, whatever the operator writes is one."""
    if dotted.startswith("config."):
        return is_key(dotted.removeprefix("config."))
    place: object = yaml.safe_load((ROOT / "helm/values.yaml").read_text())
    for step in dotted.split("."):
        if not isinstance(place, dict):
            return False
        if not place:
            return True
        if step not in place:
            return False
        place = place[step]
    return True


def documented_metrics() -> set[str]:
    """The first column of the tables; other tests compare it with the metrics that there are."""
    return set(re.findall(r"^\| `(\w+)` \| (?:counter|gauge|histogram) \|", METRICS, re.MULTILINE))


METRICS: Final = (DOCS / "metrics.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_variables_exist(page: Path) -> None:
    named = set(re.findall(r"\bZOOM_GATEWAY_[A-Z0-9_]*[A-Z0-9]", page.read_text()))
    for variable in named - PLACEHOLDERS - INJECTED - of_options():
        assert "__" in variable, variable
        assert sets_a_key(variable), variable


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_keys_exist(page: Path) -> None:
    sections = "|".join(Settings.model_fields)
    for span in spans(page):
        if re.fullmatch(rf"(?:{sections})(?:\.\w+|\[\w+\])+", span):
            assert is_key(span) or (page in OF_THE_CHART and is_value(span)), span


@pytest.mark.parametrize("page", OF_THE_CHART, ids=name)
def test_values_of_the_chart_exist(page: Path) -> None:
    roots = "|".join(yaml.safe_load((ROOT / "helm/values.yaml").read_text()))
    for span in spans(page):
        if re.fullmatch(rf"(?:{roots})(?:\.\w+)+", span):
            assert is_value(span) or is_key(span), span


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_metrics_exist(page: Path) -> None:
    known = documented_metrics()
    for metric in re.findall(r"(?<![/\w-])zoom_gateway_\w+", page.read_text()):
        series = next((metric.removesuffix(one) for one in _SERIES if metric.endswith(one)), metric)
        assert {metric, series} & known, metric


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_simulators_verbs_exist(page: Path) -> None:
    text = page.read_text()
    for verb in re.findall(r"/_sim/([a-z-]+)", text):
        assert verb in {one.split()[1] for one in VERBS}, verb
    for method, verb in re.findall(r"\b([A-Z]{3,})\s+(?:http\S+)?/_sim/([a-z-]+)", text):
        assert f"{method} {verb}" in VERBS


def test_every_verb_of_the_simulator_is_in_its_page() -> None:
    text = (DOCS / "simulator.md").read_text()
    assert {one.split()[1] for one in VERBS} == set(re.findall(r"/_sim/([a-z-]+)", text))


@pytest.mark.parametrize("block", all_blocks("promql"), ids=str)
def test_promql_is_promql(block: Block) -> None:
    try:
        promql_parser.parse(block.text)
    except ValueError:
        # Several, one a line.
        lines = [line for line in block.text.splitlines() if line and not line.startswith("#")]
        assert len(lines) > 1, block.text
        for line in lines:
            promql_parser.parse(line)


def test_the_rules_find_what_is_wrong() -> None:
    assert not sets_a_key("ZOOM_GATEWAY_LISTEN__PROT")
    assert sets_a_key("ZOOM_GATEWAY_ACCOUNTS__NAME__APPS__N__CLIENT_ID")
    assert not is_key("token.wait")
    assert is_key("accounts.NAME.apps[N].client_id")
    assert is_value("tls.clientCA.existingConfigMap")
    assert is_value("config.limits.calls")
    assert not is_value("config.limits.call")
    assert not is_value("tls.existingSecrets")
    assert not is_value("tls.existingSecret.name")
    assert not is_key("tls.existingSecret")
    assert {"zoom_gateway_store_up", "process_open_fds"} <= documented_metrics()
    with pytest.raises(ValueError, match=r".+"):
        promql_parser.parse("sum by (account) (rate(zoom_gateway_requests_total[5m])")
