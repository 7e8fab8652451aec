"""What `serve` is told, read without click, is what click reads."""

import itertools
from pathlib import Path

import click
import pytest

from gateway.cli import serve_command
from gateway.cli.plain import CONFIG, MOST_WORKERS, Serve, serve_options

WORDS = ("--config", "--workers", "--config=a", "--workers=2", "a.yaml", "2", "65", "-1", "", "--")


def as_click_reads(arguments: list[str], environ: dict[str, str]) -> Serve | None:
    """None: it explains what is wrong, or shows help."""
    told: list[Serve] = []

    def hear(config: Path | None, workers: int) -> None:
        told.append(Serve(config, workers))

    command = click.Command("serve", params=serve_command.serve.params, callback=hear)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(CONFIG, raising=False)
        for name, value in environ.items():
            patch.setenv(name, value)
        try:
            command.main(arguments, standalone_mode=False)
        except (click.ClickException, click.exceptions.Exit):
            return None
    return told[0] if told else None


@pytest.mark.parametrize(
    ("arguments", "config", "workers"),
    [
        ([], None, 1),
        (["--config", "/etc/gateway.yaml"], Path("/etc/gateway.yaml"), 1),
        (["--workers", "4"], None, 4),
        (["--workers", str(MOST_WORKERS), "--config", "x y"], Path("x y"), MOST_WORKERS),
    ],
)
def test_the_usual_ways_need_no_click(
    arguments: list[str], config: Path | None, workers: int
) -> None:
    assert serve_options(["serve", *arguments], {}) == Serve(config, workers)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["status"],
        ["--help"],
        ["serve", "--help"],
        ["serve", "--workers", "0"],
        ["serve", "--workers", str(MOST_WORKERS + 1)],
        ["serve", "--workers", "\N{ARABIC-INDIC DIGIT TWO}"],
        ["serve", "--workers"],
        ["serve", "--conf", "x"],
        ["serve", "--config", "a", "--config", "b"],
        ["serve", "--config", ""],
        ["serve", "--config", "--workers"],
        ["serve", "extra"],
    ],
)
def test_all_else_is_for_click_to_read(arguments: list[str]) -> None:
    assert serve_options(arguments, {}) is None


def test_a_shell_that_completes_words_asks_click() -> None:
    assert serve_options(["serve"], {"_ZOOM_GATEWAY_COMPLETE": "bash_complete"}) is None


@pytest.mark.parametrize("environ", [{}, {CONFIG: ""}, {CONFIG: "/from/the environment"}])
def test_what_it_reads_is_what_click_reads(environ: dict[str, str]) -> None:
    read = 0
    for count in range(5):
        for words in itertools.product(WORDS, repeat=count):
            found = serve_options(["serve", *words], environ)
            if found is not None:
                assert found == as_click_reads(list(words), environ), words
                read += 1
    # Nothing; a file, six words that may name one; a number; both, in either order.
    assert read > 10
