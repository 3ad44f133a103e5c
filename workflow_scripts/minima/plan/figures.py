"""The kinds of figures: every module of `findings/figures` and of a study's own `figures`, read without
importing what draws it."""

import ast
from importlib.util import find_spec
from math import inf
from pathlib import Path

from minima.plan import parts
from minima.plan.mistakes import ConfigError, Mistake
from minima.plan.studies import folders, functions_of, own_files


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
    path = Path(find_spec(module).origin)
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CAPTION":
            return ast.literal_eval(node.value)
    raise ConfigError([Mistake(str(path), "a figure needs a CAPTION, a text")])


def blocks_drawn(module: str) -> tuple[int, float]:
    """`blocks_drawn` returns of how many blocks a figure is drawn, at least and at most, by the arguments of
    its `tabulate(tree, block, …)`."""
    path = Path(find_spec(module).origin)
    signature = next((node.args for node in functions_of(path) if node.name == "tabulate"), None)
    if signature is None:
        raise ConfigError([Mistake(str(path), "a figure needs a function tabulate(tree, block)")])
    blocks = len(signature.args) - 1
    return blocks - len(signature.defaults), inf if signature.vararg else blocks
