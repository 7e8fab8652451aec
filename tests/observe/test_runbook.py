"""The runbook: a section for each alert, and nothing in it that does not exist."""

import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from gateway.cli.commands import program
from gateway.core.errors import MintFailure
from gateway.observe.fields import ALLOWED, ALWAYS
from gateway.observe.logs import configure
from tests.observe.charts import WALL
from tests.observe.lines import write_all
from tests.observe.promql import VALUES, exposed

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "runbook.md").read_text()
SECTIONS = {part.partition("\n")[0]: part.partition("\n")[2] for part in PAGE.split("\n## ")[1:]}
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "helm/files/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    return [line.partition("  #")[0] for block in blocks for line in block.splitlines()]


@pytest.fixture(scope="module")
def events() -> set[str]:
    stream = io.StringIO()
    write_all(configure("json", "debug", stream, lambda: WALL))
    return {json.loads(line)["event"] for line in stream.getvalue().splitlines()}


def slug(heading: str) -> str:
    """As GitHub makes an anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_alert_has_a_section_and_no_other_has() -> None:
    alerts = [rule["alert"] for rule in RULES]
    assert [name for name in SECTIONS if name.startswith("ZoomGateway")] == alerts


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_the_anchor_that_an_alert_links_to_exists(rule: dict[str, dict[str, str]]) -> None:
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert page.endswith("/docs/runbook.md")
    assert anchor in {slug(heading) for heading in SECTIONS}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_section_says_all_that_is_needed_at_night(rule: dict[str, dict[str, str]]) -> None:
    text = SECTIONS[str(rule["alert"])]
    assert text.strip().lower().startswith(rule["labels"]["severity"])
    told = text.lower().replace("**", "")
    for part in ("callers see", "confirm", "causes", "do"):
        assert part in told, part
    if "as for ZoomGateway" not in text:
        assert "```" in text, "nothing to confirm it with"


def test_sections_point_to_sections() -> None:
    for name in re.findall(r"ZoomGateway\w+", PAGE):
        assert name in SECTIONS, name


def known_options(words: list[str]) -> Iterator[str]:
    """Raise for what the command line does not know; give the rest."""
    assert isinstance(program, click.Group)
    command = program.get_command(click.Context(program), words[1])
    assert command is not None, f"no command {words[1]}"
    names = {option for one in command.params for option in one.opts}
    for word in words[2:]:
        if word.startswith("--"):
            assert word in names, f"{words[1]} has no {word}"
            yield word


def test_commands_exist() -> None:
    asked = [shlex.split(line) for line in commands() if line.startswith("zoom-gateway ")]
    assert len(asked) >= 4
    for words in asked:
        assert list(known_options(words)) in ([], ["--url"], ["--config"])


def test_commands_within_sentences_exist() -> None:
    spans = [span for span in SPAN.findall(PAGE) if span.startswith("zoom-gateway ")]
    assert spans
    for span in spans:
        list(known_options(shlex.split(span)))


def test_pages_of_the_admin_listener_exist() -> None:
    asked = set(re.findall(r"http://127\.0\.0\.1:9090(/[\w.]*)", PAGE))
    asked |= {span for span in SPAN.findall(PAGE) if re.fullmatch(r"/[\w.]+", span)}
    pages = re.findall(r'"(/[\w.]*)": \w+\.\w+,', (ROOT / "gateway/web/admin.py").read_text())
    served = set(pages)
    assert asked
    assert asked <= served


def test_events_that_are_searched_for_are_written(events: set[str]) -> None:
    asked = re.findall(r'"event":"(\w+)"', PAGE)
    assert len(asked) >= 8
    assert set(asked) <= events


def test_fields_that_are_searched_for_are_written() -> None:
    asked = set(re.findall(r'"(\w+)":', "\n".join(commands())))
    assert {"error", "status", "tracking_id"} <= asked
    assert asked <= ALLOWED | set(ALWAYS)


def configuration_keys() -> set[str]:
    """Whole paths, the lists in them, and the last names of those with accounts in them."""
    table = (ROOT / "docs" / "configuration.md").read_text()
    paths = set(re.findall(r"^\| `([\w.\[\]]+)` \|", table, re.MULTILINE))
    paths |= {path.partition("[N]")[0] for path in paths}
    return paths | {path.rpartition(".")[2] for path in paths if path.startswith("accounts.")}


def slugs() -> set[str]:
    """What `X-Zoom-Gateway-Error` may say."""
    found = set()
    for file in ("core/errors.py", "web/spool.py"):
        text = (ROOT / "gateway" / file).read_text()
        found |= set(re.findall(r'(?:slug\b.* = |__init__\(\d{3}, )"(\w+)"', text))
    for page in (ROOT / "gateway" / "web").glob("*.py"):
        said = r'(?:CallRefusedError|Problem)\(\s*\d{3},\s*"(\w+)"'
        found |= set(re.findall(said, page.read_text()))
    return found


def test_every_name_in_a_sentence_exists(events: set[str]) -> None:
    """Metrics, labels and their values, events, fields, keys, errors: no name is invented."""
    metrics = exposed()
    known = set(metrics) | set[str]().union(*metrics.values(), *VALUES.values())
    known |= events | ALLOWED | set(ALWAYS) | configuration_keys() | slugs()
    known |= {one.value for one in MintFailure}
    known |= {"namespace", "job", "status", "fleet"}  # labels, a command, a key of /status.json
    names = {span for span in SPAN.findall(PAGE) if re.fullmatch(r"[a-z][a-z_.]*[a-z]", span)}
    programs = {"mint", "wait", "curl", "journalctl", "gateway.log", "x-zm-trackingid"}
    assert len(names) > 40
    assert names - known - programs == set()


def test_links_to_other_pages_exist() -> None:
    for target in re.findall(r"\]\(((?!http)[^)#]+)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
