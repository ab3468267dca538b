"""The help of every command, as a newcomer reads it: whole sentences of what there is, with units and defaults."""

import argparse
import contextlib
import re

import pytest
from pydantic_core import PydanticUndefined

from videdit.argument_parser import Parser
from videdit.cli import main
from videdit.cli.arguments import EPILOG, submitted_jobs
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob

# A word for a value says what the value is. TIME is told where it stands; all else is a file, a folder or a choice.
UNITS = {
    "SECONDS": r"seconds",
    "PX": r"pixels",
    "SIZE": r"1G|500M",
    "TIME": r"seconds",
    "DURATION": r"25m|4m",
    "BOX": r"pixels",
}

VERBS = """Add Cancel Check Compare Download Draw Edit Estimate Fit Give Learn Let List Look Make Measure Move Open
Pause Print Put Read Remove Render Resume Show Start Take Time Train Write Go"""


def asked(words: list[str], monkeypatch) -> argparse.ArgumentParser:
    """The parser that answers `videdit WORDS --help`."""
    answering = []
    monkeypatch.setattr(Parser, "print_help", lambda self, file=None: answering.append(self))
    with contextlib.suppress(SystemExit):
        main.run([*words, "--help"])
    assert len(answering) == 1, words
    return answering[0]


def within(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """A parser and those of its subcommands."""
    subs = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return [parser, *(found for sub in subs for choice in sub.choices.values() for found in within(choice))]


BENCHES = [["bench", name] for name in ("models", "latency", "peers")]


@pytest.fixture(params=[[], *([name] for name in main.commands()), *BENCHES], ids=str)
def parsers(request, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    return within(asked(request.param, monkeypatch))


def test_the_names_that_examples_promise_are_those_of_files(tmp_path, monkeypatch):
    """Of the lines like "writes in_smile.mp4" below a command."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.mp4").touch()
    shown = re.findall(r"%\(prog\)s (in\.mp4 .*)\n.*\b(in_\S+\.mp4)", EPILOG)
    assert len(shown) > 1
    for words, name in shown:
        (clip,) = make_plan(submitted_jobs(words.split())).clips
        assert clip.output.name == name


def test_no_line_is_wider_than_a_terminal(parsers):
    for parser in parsers:
        assert [line for line in parser.format_help().splitlines() if len(line) > 80] == [], parser.prog


def test_every_command_says_what_it_is_for(parsers):
    for parser in parsers:
        words = " ".join((parser.description or "").split())
        assert re.match(r"[A-Z].*[.:]", words), f"{parser.prog}: {words!r}"


def test_every_option_says_what_it_does(parsers):
    for parser in parsers:
        for action in parser._actions:
            name = f"{parser.prog} {action.metavar or '/'.join(action.option_strings)}"
            assert len(action.help or "") > 4 or isinstance(action, argparse._SubParsersAction), name
            # What begins with such a word leans on a line that the reader has not read.
            assert not re.match(r"(of|by|its|that|they|and|the same)\b|\(", action.help or "x"), name


def test_values_have_a_name_and_a_unit(parsers):
    for parser in parsers:
        for action in parser._actions:
            if action.nargs == 0 or isinstance(action, argparse._SubParsersAction):
                continue
            name = f"{parser.prog} {'/'.join(action.option_strings) or action.dest}"
            shown = action.metavar or (action.choices and "choices")
            assert shown, f"{name} has no metavar"
            for word, unit in UNITS.items():
                if word in str(shown):
                    assert re.search(unit, action.help), f"{name}: which unit?"


def test_defaults_are_named(parsers):
    for parser in parsers:
        shown = parser.format_help()
        for action in parser._actions:
            default = action.default
            if default == argparse.SUPPRESS and action.dest in RenderJob.model_fields:
                default = RenderJob.model_fields[action.dest].get_default(call_default_factory=True)
                default = None if default is PydanticUndefined else default  # has to be said
            told = " ".join(parser._get_formatter()._expand_help(action).split()) if action.help else ""
            if action.option_strings and default not in (None, False, argparse.SUPPRESS, [], (), 0, {}):
                assert "default" in told, f"{parser.prog} {action.option_strings}"
        assert not re.search("default: (None|False|True)", shown), parser.prog
        assert not re.search(r"default: /\w+/\w+/", shown), f"{parser.prog} shows a path of this machine"


def test_exit_codes_are_listed_in_one_place(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    telling = [
        parser.prog
        for words in ([], *([name] for name in main.commands() if name not in ("render", "help")))
        for parser in within(asked(words, monkeypatch))
        if "exit codes" in parser.format_help()
    ]
    assert len(telling) == 1


def test_help_as_a_word(monkeypatch):
    assert asked(["help"], monkeypatch).prog == asked([], monkeypatch).prog
    assert asked(["help", "faces"], monkeypatch).prog == "videdit faces"
    assert asked(["help", "jobs", "move"], monkeypatch).prog == "videdit jobs move"


@pytest.mark.parametrize("command", sorted(main.commands()))
def test_the_main_help_names_every_command(command, monkeypatch):
    if command not in ("render", "help"):
        assert re.search(rf"\b{command}\b", asked([], monkeypatch).epilog)


def test_descriptions_say_what_a_command_does(monkeypatch):
    """Each begins with a verb, for what stands there is a list of things to do."""
    verbs = set()
    for words in ([], *([name] for name in main.commands())):
        verbs |= {str(parser.description).split()[0] for parser in within(asked(words, monkeypatch))}
    assert verbs <= set(VERBS.split())
