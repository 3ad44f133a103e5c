"""How the network is to be trained, as the cell that a config would make of it: the same options, defaults,
bounds and refusals."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from minima.forms import is_linear
from minima.plan import parts
from minima.plan.combinations import impossible
from minima.plan.digest import canonical
from minima.plan.marks import known_flows
from minima.plan.mistakes import explain, unknown
from minima.plan.recipes import Recipe
from minima.plan.sections import SECTION_TYPES, Section, section_of
from minima.which.inputs import Given

# What is worth asking by default: of methods that combine gradients linearly, of those whose flow at small
# steps is known, and of all others.
OF_DESCENT = ("linearized", "interpolant")
OF_FLOWS = ("linearized", "adaptive_flow", "preconditioned_start")
OF_OTHERS = ("linearized", "linearized_trained", "preconditioned_start")

Sections = dict[str, Section]


def sections_of(given: Given, seed: int, asked: Mapping[str, Any]) -> Sections:
    """`sections_of` returns the sections of a cell; `asked` holds those that the user speaks of, as a config
    has them. Raises `ValueError` with every mistake in them."""
    found, mistakes = {}, []
    for name, kind in SECTION_TYPES.items():
        try:
            found[name] = _ours(name, given) or section_of(name, asked, {})
        except ValidationError as error:
            mistakes += explain(error, kind, asked.get(name), name)
    if mistakes:
        raise ValueError("; ".join(map(str, mistakes)))
    return found | {"seed": Section(None, seed, str(seed), "")}


def fields_of(sections: Sections) -> dict[str, Any]:
    """`fields_of` returns the fields of a cell."""
    return {name: section.values for name, section in sections.items()}


def chosen(sections: Sections, which: str | Sequence[str] | None) -> list[str]:
    """`chosen` returns the predictors that are asked for, or those that make sense for the optimizer. Raises
    `ValueError` with the plan's reasons where one cannot be computed."""
    if reasons := _reasons(sections, []):
        raise ValueError("; ".join(reasons))
    wanted = _by_default(sections) if which is None else [which] if isinstance(which, str) else list(which)
    known = parts.names("predictors")
    if strange := [name for name in wanted if name not in known]:
        raise ValueError(f"which: {unknown(strange[0], known, 'no predictor')}")
    against = {name: _reasons(sections, [name]) for name in wanted}
    possible = [name for name, reasons in against.items() if not reasons]
    if possible and (which is None or len(possible) == len(against)):
        return possible
    reasons = [reason for reasons in against.values() for reason in reasons]
    raise ValueError("; ".join(dict.fromkeys(reasons)) or "which: names no predictor")


def with_predictors(sections: Sections, names: Sequence[str]) -> Sections:
    """`with_predictors` returns the sections of the cell that asks for these predictors."""
    return sections | {"predict": section_of("predict", {"predict": list(names)}, {})}


def _reasons(sections: Sections, predictors: Sequence[str]) -> list[str]:
    cell = with_predictors(sections, predictors)
    return impossible({name: [section] for name, section in cell.items()})


def _by_default(sections: Sections) -> list[str]:
    name = sections["optimizer"].values["name"]
    if is_linear(name):
        return [*OF_DESCENT]
    return [*(OF_FLOWS if name in known_flows() else OF_OTHERS)]


def _ours(name: str, given: Given) -> Section | None:
    """`_ours` returns a section that the network and its points say; None for the others."""
    if name == "data":
        points, tests = len(given.split.x_train), len(given.split.x_test)
        recipe = Recipe(source="yours", train_size=points, test_size=tests, labels=given.labels)
        return _section(recipe.model_dump(mode="json"))
    if name == "network":
        kind = parts.declaration("models", "module")
        return _section(kind.model_construct(file="", name=type(given.net).__name__).model_dump(mode="json"))
    return _section({"scheme": "own"}) if name == "init" else None


def _section(values: dict[str, Any]) -> Section:
    """`_section` returns a section of which there is nothing to validate."""
    return Section(None, values, canonical(values), "")
