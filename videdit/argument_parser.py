"""The command line's words, read so that a mistake is answered in one line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from videdit.errors import UsageError
from videdit.terminal import say

_MOST = 1 << 53  # of numbers of jobs


class Parser(argparse.ArgumentParser):
    """argparse's, whose mistakes are :class:`UsageError`, and to which no option is given twice unless it adds up."""

    def __init__(self, *words: Any, **more: Any) -> None:
        """Takes what argparse's takes; ``action="add"`` is of options that may be given several times."""
        super().__init__(*words, **more)
        for name in (None, "store"):
            self.register("action", name, Once)
        self.register("action", "add", AddUp)
        self.register("action", "parsers", Commands)

    def print_help(self, file: Any = None) -> None:
        """file: None: stdout."""
        say(self.format_help().rstrip("\n"), file)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """argparse's; raises UsageError for an empty word, which as a path would mean the folder one is in."""
        words = list(sys.argv[1:] if args is None else args)
        for i, word in enumerate(words):
            option, equals, value = word.partition("=")
            if not word or (word.startswith("--") and equals and not value):
                option = option or next((other for other in words[i - 1 : i] if other.startswith("-")), "")
                where = f" after {option}" if option else ""
                raise UsageError(f"there is an empty word{where}; a variable in the command may have no value")
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        """Raises UsageError, which ends no process: the mistake, and where help is."""
        option, _, word = message.partition("unrecognized arguments: ")
        if not option and word.startswith("-") and os.path.lexists(word):
            raise UsageError(f"{word} begins like an option; a file of that name is written ./{word}")
        raise UsageError(f"{message}; {self.prog} --help shows what there is")


class Commands(argparse._SubParsersAction):
    """Subcommands that say in their own help what the help of their parent says of them."""

    def add_parser(self, name: str, **words: Any) -> Any:
        """``help`` is also the description, unless that is given."""
        if what := words.get("help"):
            words.setdefault("description", f"{what[:1].upper()}{what[1:]}.")
        return super().add_parser(name, **words)


class Once(argparse.Action):
    """Keeps a value; of an option that is given twice one would be lost."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Raises UsageError where an option has set the same destination before."""
        given = namespace.__dict__.setdefault("_given", set())
        if option and self.dest in given:
            raise UsageError(f"{option} is given twice; once will do")
        if option:
            given.add(self.dest)
        setattr(namespace, self.dest, values)


class AddUp(argparse.Action):
    """Collects the values of an option that may be given several times."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Append to the list at the destination, which begins as a copy of the default, if there is one."""
        setattr(namespace, self.dest, [*getattr(namespace, self.dest, []), values])


def read(parser: argparse.ArgumentParser, words: Sequence[str]) -> dict[str, Any]:
    """What the words say, by option. Raises UsageError: they make no sense."""
    for option, name, number in zip(words, words[1:], words[2:], strict=False):
        if option in ("--edit", "-e") and "=" not in name and _is_number(number):
            raise UsageError(f"a strength is written with =, in one word: {option} {name}={number}")
    found, left = parser.parse_known_args(words)
    options = vars(found)
    if left:  # argparse takes inputs from one place only, but they may stand before and after options
        if not options.get("input") or not isinstance(options["input"], list) or any(word[:1] == "-" for word in left):
            parser.error(f"unrecognized arguments: {' '.join(left)}")
        options["input"] += left
    options.pop("_given", None)
    return options


def _is_number(word: str) -> bool:
    try:
        float(word.replace(",", ".", 1))
    except ValueError:
        return False
    return True


def positive_seconds(words: str) -> float:
    """A number of seconds above 0, for ``type=``."""
    try:
        seconds = float(words)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{words} is no number of seconds above 0")
    return seconds


def job_number(words: str) -> int:
    """The number of a job, for ``type=``."""
    return _within(words, 1, "number of a job")


def priority(words: str) -> int:
    """The priority of a job, for ``type=``."""
    return _within(words, -_MOST, "priority")


def _within(words: str, least: int, name: str) -> int:
    """A whole number that a database can hold."""
    try:
        number = int(words)
    except ValueError:
        number = least - 1
    if not least <= number <= _MOST:
        raise argparse.ArgumentTypeError(f"{words} is no {name}")
    return number
