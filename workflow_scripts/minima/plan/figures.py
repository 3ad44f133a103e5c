"""The kinds of figures: every module of `findings/figures` and of a study's own `figures`, read without
importing what draws it."""

import ast
import re
from importlib.util import find_spec
from math import inf
from pathlib import Path

from minima.plan import parts
from minima.plan.studies import folders, own_files

HEAD = re.compile(r"^def tabulate\(.*?\)[^\n()]*:$", re.DOTALL | re.MULTILINE)


@parts.remembered
def known_figures(study: str) -> dict[str, str]:
    """`known_figures` returns kind → module of the figures that a study can draw: its own, those of all
    studies and, as `study.kind`, those of the others."""
    ours = {kind: parts.module_name("figures", kind) for kind in parts.names("figures")}
    others = {f"{name}.{kind}": module for name in folders() for kind, module in _own(name).items()}
    return others | ours | _own(study)


def figure_module(study: str, kind: str) -> str:
    """`figure_module` returns the module that draws a kind of figure of a study."""
    return known_figures(study)[kind]


def _own(study: str) -> dict[str, str]:
    files = own_files(study, "figures/[a-z]*.py")
    return {path.stem: f"studies.{study}.figures.{path.stem}" for path in files}


def caption(module: str) -> str:
    """`caption` returns what a figure shows in words: CAPTION of its module."""
    for node in ast.parse(_text(module)).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CAPTION":
            return ast.literal_eval(node.value)
    raise ValueError(f"{module} has no CAPTION")


def blocks_drawn(module: str) -> tuple[int, float]:
    """`blocks_drawn` returns of how many blocks a figure is drawn, at least and at most, by the arguments of
    its `tabulate(tree, block, …)`."""
    text = _text(module)
    head = HEAD.search(text)  # alone: every job asks this of every figure
    body = ast.parse(f"{head[0]} ..." if head else text).body
    (signature,) = (node.args for node in body if getattr(node, "name", None) == "tabulate")
    blocks = len(signature.args) - 1
    return blocks - len(signature.defaults), inf if signature.vararg else blocks


@parts.remembered
def _text(module: str) -> str:
    return Path(find_spec(module).origin).read_text(encoding="utf-8")
