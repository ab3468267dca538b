"""Every command that a document shows is one that the command line understands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from synthetic import ROOT

from videdit.argument_parser import Parser, read
from videdit.cli import main
from videdit.cli.arguments import render_parser
from videdit.cli.train import build_parser as train_parser

DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
DOCUMENTS.remove(ROOT / "docs" / "structure.md")  # made from the code
WITH_RENDER_OPTIONS = ("videdit submit", "videdit watch", "videdit plan")
_WORDS = re.compile(r"(?:python run_video\.py|videdit|python -m videdit\.train) (?=[\w./-])")
_GAP = re.compile(r"\.\.\.|[\[|>]|\b(ID|CLIP|NAME)\b|--help")  # what the reader has to fill in


def commands(document: Path) -> Iterator[str]:
    """Lines of code and code within lines; lines that go on (with a backslash) as one."""
    text = document.read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line.startswith("    "):
            yield from (words for words in re.split(r"\s[;&>]+\s|;\s", line.strip()) if _WORDS.match(words))
        else:  # a name and no more is a name
            code = re.findall(r"`([^`]+)`", line)
            yield from (w for w in code if _WORDS.match(w) and re.search(r" -|( \S+){3}", w) and not _GAP.search(w))


class ParsedError(Exception):
    """The words were understood."""


SHOWN = [(document, words) for document in DOCUMENTS for words in dict.fromkeys(commands(document))]


@pytest.mark.parametrize(
    ("document", "words"), SHOWN, ids=lambda value: value[:60] if isinstance(value, str) else value.stem
)
def test_it_is_understood(document, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    program, *rest = shlex.split(words, comments=True)
    if program == "python" and rest.pop(0) == "-m":
        train_parser().parse_args(rest[1:])
        return
    if rest[0] not in main.commands():
        read(render_parser(), rest)
        return

    def understood(self: Parser, given: list[str] | None = None, namespace: object = None) -> None:
        found, left = original(self, given, namespace)
        if self.prog in WITH_RENDER_OPTIONS:
            read(render_parser(), left)
        elif left:
            self.error(f"unrecognized arguments: {' '.join(left)}")
        if not self.prog.count(" ") > 1 or self.prog.startswith("videdit bench"):
            raise ParsedError
        return found, left

    original = Parser.parse_known_args
    monkeypatch.setattr(Parser, "parse_known_args", understood)
    with pytest.raises(ParsedError):
        main.commands()[rest[0]](rest[1:])


def test_there_are_many():
    assert len(SHOWN) > 60
    assert {document.name for document, _ in SHOWN} > {
        "README.md",
        "edits.md",
        "farm.md",
        "studio.md",
        "CONTRIBUTING.md",
    }


def test_ci_runs_the_readme_s_line() -> None:
    """So that a green CI says of the README's line that it works."""
    (line,) = re.findall(r"^    (pip .+ && python -m pytest.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    ran = (ROOT / ".ci" / "run").read_text().splitlines()
    install, test = line.split(" && ")
    assert install in ran
    assert test in ran
    assert ran.index(install) < ran.index(test)
