"""Job files: YAML in, RenderJobs out, and for every mistake the line it is on."""

from __future__ import annotations

import difflib
import json
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from videdit import paths as resources
from videdit.errors import UsageError
from videdit.jobs.field_types import parse_edit
from videdit.jobs.render_job import RenderJob

SCHEMA_FILE = "job.schema.json"
_MOST_BYTES = 1 << 20
_MOST_NODES = 100_000


def load_jobs(path: Path, overrides: Mapping[str, Any] | None = None) -> list[RenderJob]:
    """Read a YAML file that holds one job or a list of jobs.

    Inputs and outputs are relative to the file. `overrides` (the options of the command line) win over the file.

    Raises:
        UsageError: the file cannot be read, or one line ``file:line: what is wrong`` for each mistake.
    """
    try:
        text = _text(path)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _check_size(path, root)
        data = yaml.load(text, Loader=_Loader)
    except RecursionError:
        raise UsageError(f"{path}: nested too deeply for a job file") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read the job file {path}: {reason}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{path}:{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None

    entries = data if isinstance(data, list) else [data]
    if root is None or not entries:
        raise UsageError(f"{path}:1: the file holds no job; a job needs at least `input` and `edit`")
    nodes = root.value if isinstance(root, yaml.SequenceNode) else [root]
    jobs, mistakes = [], list(_duplicates(root))
    for entry, node in zip(entries, nodes, strict=True):
        if not isinstance(entry, dict):
            mistakes.append((_line(node), "a job should be a mapping of settings, such as `edit: smile`"))
            continue
        try:
            jobs.append(RenderJob.model_validate(relative_to(entry, path.parent) | dict(overrides or {})))
        except ValidationError as error:
            mistakes.extend(_mistakes(error, node))
    if mistakes:
        raise UsageError("\n".join(f"{path}:{line}: {message}" for line, message in sorted(set(mistakes))))
    return jobs


class _Loader(yaml.SafeLoader):
    """Plain values only, and no number that is another than it looks."""


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int:
    digits = str(node.value).lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1] in "0123456789_":
        raise yaml.MarkedYAMLError(problem=f"{node.value} would be read as octal", problem_mark=node.start_mark)
    try:
        return loader.construct_yaml_int(node)
    except ValueError:  # of thousands of digits
        raise yaml.MarkedYAMLError(problem="a number is too long", problem_mark=node.start_mark) from None


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)


def _text(path: Path) -> str:
    """What is in a file or a pipe. Raises OSError, UnicodeDecodeError; UsageError: it does not end soon enough."""
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{path} is too large for a job file ({_MOST_BYTES >> 10} KiB at most)")
    return data.decode("utf-8")


def _check_size(path: Path, root: yaml.Node | None) -> None:
    """Refuse a small file that becomes a huge one when its aliases are followed, or an endless one.

    Raises:
        UsageError: with the line where it gets too large.
    """
    sizes: dict[int, int] = {}  # by node; -1 while it is being counted

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = -1
            children = node.value if isinstance(node, yaml.SequenceNode) else ()
            if isinstance(node, yaml.MappingNode):
                children = [part for entry in node.value for part in entry]
            sizes[id(node)] = 1 + sum(size(child) for child in children)
        if not 0 < sizes[id(node)] <= _MOST_NODES:
            raise UsageError(f"{path}:{_line(node)}: too many values for a job file; do not repeat them by aliases")
        return sizes[id(node)]

    if root is not None:
        size(root)


def job_schema() -> str:
    """The JSON schema of a job file, for editors that complete and check as one types."""
    schema = TypeAdapter(RenderJob | list[RenderJob]).json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "videdit job file"}
    return json.dumps(head | schema, indent=2, ensure_ascii=False) + "\n"


def job_of(words: Mapping[str, Any]) -> RenderJob:
    """A job from its fields. Raises UsageError: one sentence for each that makes no sense."""
    try:
        return RenderJob.model_validate(dict(words))
    except ValidationError as error:
        raise UsageError("; ".join(message for _, message in explain(error))) from None


def explain(error: ValidationError) -> list[tuple[tuple[int | str, ...], str]]:
    """A validation error as (place, sentence) pairs, one a mistake."""
    told = []
    for item in error.errors(include_url=False):
        place = item["loc"]
        key = str(place[0]) if place else ""
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, RenderJob.model_fields, n=1)
            message = f"unknown setting {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")
        elif item["type"] == "missing":
            message = f"{key!r} is missing"
        else:
            words = item["msg"].removeprefix("Value error, ").replace("Input should", "should")
            message = f"{key}: {words}" if key and item["type"] != "value_error" else words
            if item["type"] not in ("value_error", "missing") and isinstance(item["input"], str | int | float):
                message += f", not {item['input']!r}"
        told.append((place, message))
    return told


def _mistakes(error: ValidationError, node: yaml.Node) -> Iterator[tuple[int, str]]:
    for place, message in explain(error):
        yield _line(_find(node, place)), message


def _find(node: yaml.Node, place: tuple[int | str, ...]) -> yaml.Node:
    """The node a pydantic location points to: the key of a mapping's entry, as deep as the file goes."""
    found = node
    for step in place:
        if isinstance(node, yaml.MappingNode):
            entry = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if entry is None:
                break
            found, node = entry
            if isinstance(node, yaml.SequenceNode):
                found = entry[0]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = node = node.value[step]
        else:
            break
    return found


def _duplicates(node: yaml.Node) -> Iterator[tuple[int, str]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, value in node.value:
            if key.value in seen:
                yield _line(key), f"{key.value!r} is given twice"
            seen.add(key.value)
            yield from _duplicates(value)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _duplicates(child)


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def relative_to(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A job's words with their paths taken from a folder; what is not a path stays for the validator."""
    from videdit.edits.parse import is_file
    from videdit.tracks.selection import is_picture

    def place(value: Any) -> Any:
        return str(folder / resources.expanded(value.strip())) if isinstance(value, str) else value

    entry = dict(entry)
    for name in {"input", "checkpoint"} & entry.keys():
        value = entry[name]
        entry[name] = [place(item) for item in value] if isinstance(value, list) else place(value)
    paths = ("output", "alpha_out", "crops_out", "sign", "sign_key", "analysis")
    entry |= {name: place(entry[name]) for name in paths if name in entry}
    if is_picture(entry.get("faces", "")):
        entry["faces"] = place(entry["faces"])
    if isinstance(entry.get("per_face"), dict):
        own = entry["per_face"].items()
        entry["per_face"] = {place(who) if is_picture(who) else who: edit for who, edit in own}
    words = parse_edit(entry.get("edit"))
    if isinstance(words, str):
        entry["edit"] = ",".join(
            place(word) if is_file(word.partition("=")[0].strip()) else word for word in words.split(",")
        )
    return entry
