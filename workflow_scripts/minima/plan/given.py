"""The config as it was given on Snakemake's command line, to be given again."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from minima.plan.layers import shown

WORD = re.compile(r"(?!(?:true|false|nan|inf|infinity)$)(?:\.{0,2}/)?[a-z_][\w./-]*", re.I)


def given(files: Iterable[Path], values: Mapping[str, Any], replaces: bool = False) -> str:
    """`given` returns Snakemake's options that say the same config: its files and its values. They follow
    what a command asks for, as each takes all words up to the next option."""
    words = ["--replace-workflow-config"] if replaces else []
    if paths := [shown(path) for path in files]:
        words += ["--configfile", *paths]
    if pairs := [f"{name}={_written(value)}" for name, value in values.items()]:
        words += ["--config", *pairs]
    return shlex.join(words)


def _written(value: Any) -> str:
    """`_written` returns a value as Snakemake reads it: nothing as nothing, a word that can be nothing else
    as it is, numbers and truth in Python's words, and the rest as JSON, which is YAML."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float) or (isinstance(value, str) and WORD.fullmatch(value)):
        return str(value)
    return json.dumps(value, ensure_ascii=False)
