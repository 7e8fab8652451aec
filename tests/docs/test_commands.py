"""The command lines in the pages name commands and options that exist, and are shell."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import click
import pytest

from gateway.cli.commands import program
from tests.docs.pages import PAGES, SHELLS, Block, all_blocks, blocks, name, spans

CONTEXT: Final = click.Context(program)
_PROGRAM: Final = re.compile(
    r"(?:^|&& *|\|\|? *|; *|\$\()(?:exec +)?(?:[A-Z_]+=\S+ +)*"  # where a command stands
    r"(?:[\w./-]*/)?zoom-gateway\b(?![:/.@-])"  # no image, file or address
    r"((?: +[^\s&|;<>()]+)*)"
)


def used(line: str) -> list[list[str]]:
    """The arguments of each `zoom-gateway` in the command line, without what marks options."""
    line = re.sub(r"(?:^|\s)#.*", "", line)
    return [
        [word.strip("[]'\"…") for word in arguments.split()]
        for arguments in _PROGRAM.findall(line.strip())
    ]


def wrong(arguments: list[str]) -> str | None:
    """What does not exist of a command's name and options."""
    command: click.Command | None = program
    words = list(arguments)
    if words and not words[0].startswith("-"):
        command = program.get_command(CONTEXT, words.pop(0))
    if command is None:
        return f"no command {arguments[0]!r}"
    context = click.Context(command)
    params = command.get_params(context)
    known = {option for one in params for option in (*one.opts, *one.secondary_opts)}
    named = {word.partition("=")[0] for word in words if word.startswith("-")}
    return f"no option {sorted(named - known)} of {command.name}" if named - known else None


def all_used(page: Path) -> list[list[str]]:
    lines = [line for block in blocks(page, *SHELLS, "") for line in block.commands]
    return [arguments for line in (*lines, *spans(page)) for arguments in used(line)]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("zoom-gateway serve --config FILE --workers 4", None),
        (".venv/bin/zoom-gateway --version", None),
        ("ZOOM_X=1 zoom-gateway serv", "no command 'serv'"),
        ("make venv && .venv/bin/zoom-gateway check --mnt", "no option ['--mnt'] of check"),
        ("exec zoom-gateway status --json --uri=http://x", "no option ['--uri'] of status"),
    ],
)
def test_the_rule_finds_what_is_wrong(line: str, fault: str | None) -> None:
    (arguments,) = used(line)
    assert wrong(arguments) == fault


def test_the_rule_leaves_other_things_of_that_name_alone() -> None:
    assert not used("helm install zoom-gateway ./helm")
    assert not used("podman run zoom-gateway:0.1.0 serve")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_options_exist(page: Path) -> None:
    for arguments in all_used(page):
        assert not wrong(arguments), f"zoom-gateway {' '.join(arguments)}: {wrong(arguments)}"


def test_every_command_is_in_some_page() -> None:
    named = {arguments[0] for page in PAGES for arguments in all_used(page) if arguments}
    assert set(program.list_commands(CONTEXT)) <= named


@pytest.mark.parametrize("block", all_blocks(*SHELLS), ids=str)
def test_shell_blocks_are_shell(block: Block) -> None:
    shell = shutil.which("bash" if block.language == "bash" else "sh")
    assert shell
    checked = subprocess.run(
        [shell, "-n"], input="\n".join(block.commands), capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, ""), block.text


def test_make_targets_exist() -> None:
    makefile = (PAGES[0].parent / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z0-9-]*)(?: [a-z0-9-]+)*:", makefile, re.MULTILINE))
    named = {
        target
        for page in PAGES
        for line in (
            *(line for block in blocks(page, *SHELLS, "") for line in block.commands),
            *spans(page),
        )
        for target in re.findall(r"^make ([a-z][a-z0-9-]*)", line.strip())
    }
    assert {"demo", "test", "docs"} <= named
    assert named <= targets
