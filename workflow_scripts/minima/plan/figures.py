"""The kinds of figures: every module of `findings/figures`, read without importing what draws it."""

import ast
import re
from functools import cache
from math import inf
from pathlib import Path

FIGURES = Path(__file__).parents[1] / "findings" / "figures"
HEAD = re.compile(r"^def tabulate\(.*?\)[^\n()]*:$", re.DOTALL | re.MULTILINE)


def known_figures() -> list[str]:
    """`known_figures` returns every kind of figure."""
    return sorted(path.stem for path in FIGURES.glob("[a-z]*.py"))


def caption(kind: str) -> str:
    """`caption` returns what a figure shows in words: CAPTION of its module."""
    for node in ast.parse(_text(kind)).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CAPTION":
            return ast.literal_eval(node.value)
    raise ValueError(f"the figure {kind} has no CAPTION")


def blocks_drawn(kind: str) -> tuple[int, float]:
    """`blocks_drawn` returns of how many blocks a figure is drawn, at least and at most, by the arguments of
    its `tabulate(tree, block, …)`."""
    text = _text(kind)
    head = HEAD.search(text)  # alone: every job asks this of every figure
    body = ast.parse(f"{head[0]} ..." if head else text).body
    (signature,) = (node.args for node in body if getattr(node, "name", None) == "tabulate")
    blocks = len(signature.args) - 1
    return blocks - len(signature.defaults), inf if signature.vararg else blocks


@cache
def _text(kind: str) -> str:
    return (FIGURES / f"{kind}.py").read_text(encoding="utf-8")
