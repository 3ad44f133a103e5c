"""The files that are written from one source: the schemas of config files and of study.yaml, the tables of
config/README.md and rules/envs/minima.yaml.

    make generated
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from minima.atomic import write_text
from minima.plan import parts, recipes
from minima.plan.config import (
    Augment,
    Block,
    Config,
    Execution,
    Figure,
    LinearizedRun,
    NetworkRun,
    Replication,
    SeedRange,
    Stop,
    Study,
)
from minima.plan.inits import LayerInit, ModuleInit, StartingInit
from minima.plan.networks import Network
from minima.plan.optimizers import Damping, NamedRate, Optimizer, RateOfLeast, RelativeRate, WeightDecay
from minima.plan.recording import Plane, Record

ROOT = Path(__file__).parents[3]
BEGIN, END = "<!-- options: written by `make generated` -->", "<!-- end of options -->"
TABLES: dict[str, type[BaseModel]] = {
    "The config": Config,
    "execution": Execution,
    "replications.&lt;name&gt;": Replication,
    "studies.&lt;name&gt;": Study,
    "studies.&lt;name&gt;.figures.&lt;name&gt;": Figure,
    "studies.&lt;name&gt;.references": parts.each_of("references"),
    "studies.&lt;name&gt;.blocks.&lt;name&gt;": Block,
    "seed": SeedRange,
    "network, all kinds but mlp": Network,
    "init, of mlp": LayerInit,
    "init, of the other kinds": ModuleInit,
    "init, of a trained cell": StartingInit,
    "optimizer": Optimizer,
    "optimizer.weight_decay": WeightDecay,
    "augment": Augment,
    "lr: {relative: …}": RelativeRate,
    "lr: {relative_to_least: …}": RateOfLeast,
    "lr: {rate: …}": NamedRate,
    "momentum: {damping: …}": Damping,
    "stop": Stop,
    "record": Record,
    "linearized_run": LinearizedRun,
    "network_run": NetworkRun,
    "record.plane": Plane,
    "data.&lt;name&gt;, every source": recipes.Recipe,
    "data.&lt;name&gt;.split": recipes.SharedSplit,
    "data.&lt;name&gt;.confusion": recipes.Confusion,
}

PARTS = {  # kind of part → the title of a part's table
    "models": "network: {{kind: {}}}",
    "inits": "init: {{scheme: {}}}",
    "optimizers": "optimizer: {{name: {}}}",
    "rates": "lr: {{{{rate: {}}}}}",
    "schedules": "optimizer.schedule: {{kind: {}}}",
    "sources": "data.&lt;name&gt;, source: {}",
    "references": "studies.&lt;name&gt;.references.{}",
}


def generated_files() -> dict[Path, str]:
    """Path → content of every generated file."""
    readme = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    head, _, rest = readme.partition(BEGIN)
    tables = "\n\n".join([*_tables()])
    return {
        ROOT / "config" / "schema.json": _written(_schema()),
        ROOT / "config" / "study.schema.json": _written({"$ref": "schema.json#/$defs/Study"}),
        ROOT / "config" / "README.md": f"{head}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}",
        ROOT / "rules" / "envs" / "minima.yaml": _environment(),
    }


def _schema() -> dict[str, Any]:
    """`_schema` returns the JSON schema of a file with a config or a part of one, to be laid over others:
    nothing is required, and a mapping that may be one of several parts fits at least one of them."""

    def lenient(value: Any) -> Any:
        if isinstance(value, list):
            return [lenient(one) for one in value]
        if not isinstance(value, dict):
            return value
        kept = {k: lenient(v) for k, v in value.items() if not (k == "required" and isinstance(v, list))}
        return kept | ({"anyOf": kept.pop("oneOf")} if isinstance(kept.get("oneOf"), list) else {})

    return lenient(Config.model_json_schema())


def _written(content: Any) -> str:
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _environment() -> str:
    pins = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    lines = [
        "# Written by `make generated` from requirements.lock.",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        "  - python >=3.11",
        "  - pip",
        "  - pip:",
        *(f"      - {pin}" for pin in pins),
    ]
    return "\n".join(lines) + "\n"


def _tables() -> Iterator[str]:
    for title, model in TABLES.items():
        yield _section(title, _doc(model), _rows(model))
    for kind, title in PARTS.items():
        for name, model in parts.options(kind).items():
            yield _section(title.format(name), _doc(model), _own_rows(model, parts.KINDS[kind].tag))


def _section(title: str, text: str, rows: Mapping[str, str]) -> str:
    table = ["", "| option | type | default | meaning |", "|---|---|---|---|", *rows.values()]
    return "\n".join([f"### {title}", *(["", text] if text else []), *(table if rows else [])])


def _doc(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _own_rows(model: type[BaseModel], tag: str) -> dict[str, str]:
    """`_own_rows` returns the rows of a part's model that stand neither in the title of its table, as its tag
    does, nor, word for word, in the table of a base."""
    common = [row for base in TABLES.values() if issubclass(model, base) for row in _rows(base).values()]
    return {name: row for name, row in _rows(model).items() if name != tag and row not in common}


def _rows(model: type[BaseModel]) -> dict[str, str]:
    """`_rows` returns option → its row."""
    rows = {}
    schema = model.model_json_schema()
    for name, field in model.model_fields.items():
        name = field.alias or name
        own = schema["properties"][name]
        choices = [one.said() for one in field.metadata if isinstance(one, parts.NameOf)]
        told = field.description, own.get("items", {}).get("description"), *choices
        said = " ".join(filter(None, told)).replace("|", r"\|")
        kind = _kind(own, schema.get("$defs", {}))
        rows[name] = f"| `{name}` | {kind} | {_default(field.default)} | {said} |"
    return rows


def _default(default: Any) -> str:
    if default is PydanticUndefined:
        return "required"
    value = (
        default.model_dump(mode="json", exclude_defaults=True) if isinstance(default, BaseModel) else default
    )
    return "all defaults" if value == {} and isinstance(default, BaseModel) else f"`{json.dumps(value)}`"


def _kind(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """`_kind` returns a field's type in words, with its bounds."""
    if "$ref" in schema:
        return "mapping"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    if any_of := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(_kind(choice, definitions) for choice in any_of))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'], definitions)}"
    words = {"integer": "whole number", "object": "mapping", "string": "text", "boolean": "true, false"}
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema]
    kind = schema.get("type", "anything")
    return " ".join([words.get(kind, kind), ", ".join(bounds)]).strip()


if __name__ == "__main__":
    for path, content in generated_files().items():
        write_text(content, path)
        print(f"wrote {path.relative_to(ROOT)}")
