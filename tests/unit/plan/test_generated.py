"""Files that are written from one source are as that source says."""

import json
from contextlib import suppress

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from minima.plan import parts
from minima.plan.config import Config
from minima.plan.generated import PARTS, ROOT, TABLES, generated_files
from minima.plan.mistakes import models_in

OPTIONS = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
SHARED = {model: title for title, model in TABLES.items()}
# Model → the titles of its tables, the later over the earlier.
TOLD = {
    model: (*(SHARED[base] for base in model.__mro__ if base in SHARED), title.format(name))
    for kind, title in PARTS.items()
    for name, model in parts.options(kind).items()
}


def printed(title):
    """Option → its default, of the table under a title."""
    section = OPTIONS.split(f"### {title}\n")[1].split("\n### ")[0]
    rows = [row.strip("| ").split(" | ") for row in section.splitlines() if row.startswith("| `")]
    return {name.strip("`"): default.strip("`") for name, _, default, _ in rows}


@pytest.mark.parametrize("path", generated_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_generated_files_are_up_to_date(path):
    assert path.read_text(encoding="utf-8") == generated_files()[path], "run: make generated"


def test_every_model_of_the_config_has_a_table():
    """Whatever can be written in a config is on the page of every option."""

    def within(model):
        inner = (one for field in model.model_fields.values() for one in models_in(field))
        return {model}.union(*map(within, inner))

    def names(models):  # a model of what is made of parts is made again where a test lets others join
        return {f"{model.__module__}.{model.__qualname__}" for model in models}

    assert names(within(Config)) <= names([*TABLES.values(), *TOLD])


@pytest.mark.parametrize("model", TOLD, ids=lambda model: model.__name__)
def test_the_tables_tell_the_defaults_of_each_optimizer_and_source(model):
    """Also where it overrides what all of its kind share: batch_size of sgd, labels of cifar10."""
    told = {name: default for title in TOLD[model] for name, default in printed(title).items()}
    for name, field in model.model_fields.items():
        name = field.alias or name
        if name in [kind.tag for kind in parts.KINDS.values()]:
            continue  # the title
        if field.is_required():
            assert told[name] == "required"
        elif not isinstance(field.default, BaseModel):
            assert json.loads(told[name]) == field.default


def numbers(value):
    """The value as editors read it, for whom 1e-3 is a number, and null is nothing."""
    if isinstance(value, dict):
        return {key: numbers(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [numbers(one) for one in value]
    with suppress(TypeError, ValueError):
        return float(value) if isinstance(value, str) else value
    return value


FILES = [
    *((path, "schema.json") for path in sorted((ROOT / "config").glob("*.yaml"))),
    *(
        (path, "study.schema.json")
        for path in sorted((ROOT / "workflow_scripts" / "studies").glob("*/*.yaml"))
        if path.name != "claims.yaml"
    ),
]


@pytest.mark.parametrize(("path", "schema"), FILES, ids=lambda one: str(one).removeprefix(f"{ROOT}/"))
def test_the_schemas_know_every_form_that_our_files_have(path, schema):
    """Whole ones and overlays; a key that is misspelt is found."""
    whole = json.loads((ROOT / "config" / "schema.json").read_text(encoding="utf-8"))
    used = whole if schema == "schema.json" else {"$defs": whole["$defs"], "$ref": "#/$defs/Study"}
    content = numbers(yaml.safe_load(path.read_text(encoding="utf-8")))
    validator = Draft202012Validator(used)
    assert [error.message for error in validator.iter_errors(content)] == []
    assert [*validator.iter_errors(content | {"blcoks": {}})]
