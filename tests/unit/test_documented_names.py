"""Every file that a document names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from synthetic import ROOT
from test_documented_commands import DOCUMENTS

OURS = ("videdit", "stages", "tests", "scripts", "configs", "docs", "weights", "examples", ".ci")
_TO_FILL_IN = re.compile(r"NAME|[*{}<>]|\.\.\.")
_MADE = {"examples/portrait_smile.mp4"}  # by the command that stands beside it


def named(document: Path) -> set[str]:
    """Paths in code that begin with a folder of ours: `videdit/models/sizes.py`."""
    code = re.findall(r"`([\w.{}<>*/-]+)`", document.read_text(encoding="utf-8"))
    paths = {word for word in code if word.partition("/")[0] in OURS and "/" in word}
    return {path for path in paths if not _TO_FILL_IN.search(path)} - _MADE


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_files_that_a_document_names_are_there(document: Path) -> None:
    assert [path for path in sorted(named(document)) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_what_a_document_links_to_is_there(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if ":" not in link and not (document.parent / link).exists()] == []


def test_there_is_something_to_look_for() -> None:
    assert "videdit/models/sizes.py" in named(ROOT / "docs" / "howto" / "add_a_model.md")
