"""What figures show, in words: the CAPTION of a figure's module, read without importing what draws it."""

import ast
from functools import cache
from pathlib import Path

FIGURES = Path(__file__).parents[1] / "findings" / "figures"


@cache
def caption(kind: str) -> str:
    for node in ast.parse((FIGURES / f"{kind}.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CAPTION":
            return ast.literal_eval(node.value)
    raise ValueError(f"the figure {kind} has no CAPTION")
