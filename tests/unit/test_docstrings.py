"""Docstrings of public functions: whoever takes or gives arrays says which shape they have."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARRAY = re.compile(r"\b(ndarray|Array|Tensor)\b")
# [H, W, 3], 2x3, "of any shape"; or the function that says it.
SHAPE = re.compile(r"\[[^\]]*\]|\d+x\d+|\bshapes?\b|:(func|meth|attr):`")
# Told once: by the protocol whose operations these are, by the class whose network it is, by the training's base.
ELSEWHERE = re.compile(
    r"imaging/primitives/(host|torch)\.py|imaging/(host|device)\.py:(Host|Device)Pixels|\.forward$|:Training\.(loss|batch)$"
)


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from ((f"{node.name}.{sub.name}", sub) for sub in node.body if isinstance(sub, ast.FunctionDef))


def mentions_arrays(function: ast.FunctionDef) -> bool:
    """Whether its annotations do; state dicts and callables have no shape."""
    words = [arg.annotation for arg in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    for annotation in (*words, function.returns):
        text = ast.unparse(annotation) if annotation else ""
        text = re.sub(r"(dict|Mapping)\[[^\[\]]*(\[[^\]]*\])*[^\[\]]*\]|Callable\[.*\]", "", text)
        if ARRAY.search(text):
            return True
    return False


def shapeless(source: str, name: str) -> list[str]:
    """The public functions of a file that do not say the shape of their arrays."""
    found = []
    for where, function in functions(ast.parse(source)):
        overloaded = any(ast.unparse(word) == "overload" for word in function.decorator_list)
        if function.name.startswith("_") or overloaded or not mentions_arrays(function):
            continue
        place = f"{name}:{where}"
        if not SHAPE.search(ast.get_docstring(function) or "") and not ELSEWHERE.search(place):
            found.append(place)
    return found


def test_arrays_have_shapes() -> None:
    files = [path for path in sorted((ROOT / "videdit").rglob("*.py")) if "stages" not in path.parts]
    files += sorted((ROOT / "stages").glob("*.py"))
    assert len(files) > 300
    assert [it for path in files for it in shapeless(path.read_text(), str(path.relative_to(ROOT)))] == []


@pytest.mark.parametrize(
    ("signature", "words", "says"),
    [
        ("(x: np.ndarray) -> float", "The mean.", False),
        ("(x: np.ndarray) -> float", "The mean of [N].", True),
        ("(x: Array) -> Array", "See :func:`other`.", True),
        ("(count: int) -> list[Tensor]", "Random numbers.", False),
        ("(state: dict[str, Tensor]) -> int", "How many.", True),
        ("(x: int) -> int", "One more.", True),
    ],
)
def test_it_sees_what_is_missing(signature: str, words: str, says: bool) -> None:
    source = f'def f{signature}:\n    """{words}"""\n'
    assert (shapeless(source, "f.py") == []) == says
