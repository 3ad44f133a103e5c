"""Replications: the same register asked on other data.

A replication is a config of its own, made of the whole one: its data in the place of the recipes whose roles
they play, seeds of their own, and of each study only the blocks that the asked claims are about. What its
data cannot answer is not asked, and why is kept.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from minima.plan.config import Block, Config, Replication
from minima.plan.cost import kernel_problem
from minima.plan.grid import Grid
from minima.plan.layers import Laid, Layer, laid_over, listed, mapping
from minima.plan.mistakes import ConfigError, Mistake, explain, unknown
from minima.plan.reading import read_config
from minima.plan.recipes import DataRecipe, Recipe, reader
from minima.plan.register import Claim

LEFT_OUT = "this replication does not ask it"
RULED = {"value_error"}  # what a recipe's own rules say, such as too few rows: no mistake of form


class Asked(NamedTuple):
    """`Asked` is what a replication asks: its config and grids, and why the rest is not asked: block → reason
    by study, and claim → reason of those that it leaves out."""

    config: Config
    grids: dict[tuple[str, str], Grid]
    not_asked: dict[str, dict[str, str]]
    left_out: dict[str, str]


def asked_by(
    whole: Mapping[str, Any], config: Config, name: str, claims: Sequence[Claim], studies: Collection[str]
) -> Asked:
    """`asked_by` returns what the replication of this name asks, of the claims about these studies of a whole
    raw config. Raises `ConfigError` where the replication itself is mistaken."""
    replication = config.replications[name]
    path = f"replications.{name}"
    left_out = _left_out(replication, claims, path)
    given = {study: mapping(mapping(whole["studies"])[study]) for study in studies}
    recipes, no_recipe = _recipes(replication, mapping(whole["data"]), given, Path(config.data_dir), path)
    laid = laid_over(given, {study: replication.studies.get(study, {}) for study in given})
    not_asked: dict[str, dict[str, str]] = {study: {} for study in studies}
    kept = {}
    for study, entry in laid.items():
        blocks, about = mapping(entry.get("blocks")), not_asked[study]
        for block in mapping(given[study].get("blocks")):
            if block not in blocks:
                about[block] = LEFT_OUT
            elif reasons := [no_recipe[one] for one in _recipes_of(blocks[block]) if one in no_recipe]:
                about[block] = reasons[0]
        asked = [claim for claim in claims if claim.study == study and claim.id not in left_out]
        named = {one for claim in asked for part in claim.asked for one in part.blocks_named(blocks)}
        kept[study] = {
            block: _shifted(blocks[block], recipes, replication.seed_shift)
            for block in _closure(named - {*about}, blocks)
        }
    base = {**whole, "data": recipes, "whole": True, "replication": None}
    read, grids = _read(base, laid, kept, not_asked, path)
    return Asked(read, grids, not_asked, left_out)


def _left_out(replication: Replication, claims: Sequence[Claim], path: str) -> dict[str, str]:
    """`_left_out` returns claim → reason of those that the replication does not ask. It may name claims about
    studies that do not run now."""
    if replication.claims is None:
        return {}
    ids = [claim.id for claim in claims]
    families = {one.split("-")[0] for one in ids}
    if wrong := [c for c in replication.claims if c not in ids and c.split("-")[0] in families]:
        raise ConfigError([Mistake(f"{path}.claims", unknown(one, ids, "no claim")) for one in wrong])
    return {one: LEFT_OUT for one in ids if one not in replication.claims}


def _recipes(
    replication: Replication,
    given: Mapping[str, Any],
    studies: Mapping[str, Mapping[str, Any]],
    data_dir: Path,
    path: str,
) -> tuple[dict[str, Any], dict[str, str]]:
    """`_recipes` returns all recipes, with the replication's changes laid over those that it names, by
    themselves or by a role that they play; and of those that cannot be used, or are not named, why."""
    roles: dict[str, list[str]] = {}
    for study in studies.values():
        for role, names in mapping(study.get("roles")).items():
            roles.setdefault(role, []).extend(listed(names))
    changes: dict[str, Any] = {}
    for key in sorted(replication.data, key=lambda key: key not in roles):  # a recipe's own name says more
        for name in roles.get(key, [key] if key in given else []):
            changes[name] = replication.data[key]
    recipes = dict(given)
    reasons = {name: f"asked of {name}, in whose place this replication has no data" for name in given}
    mistakes = [
        Mistake(f"{path}.data", unknown(key, near, "no role or recipe"))
        for key in replication.data  # it may name roles of studies that do not run now, but not nearly so
        if key not in changes | roles and (near := get_close_matches(key, [*roles, *given], 1, 0.8))
    ]
    for name, change in changes.items():
        changed = _changed(mapping(given[name]), change)
        try:
            recipe = reader().validate_python(changed)
        except ValidationError as error:
            found = explain(error, DataRecipe, changed, f"{path}.data.{name}")
            if {detail["type"] for detail in error.errors()} - RULED:
                mistakes += found
            reasons[name] = "; ".join(mistake.reason for mistake in found)
        else:
            if missing := _missing(recipe, data_dir):
                reasons[name] = f"there is no file {missing}"
            else:
                recipes[name] = changed
                reasons.pop(name)
    if mistakes:
        raise ConfigError(mistakes)
    return recipes, reasons


def _changed(recipe: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`_changed` returns a recipe with changes laid over it; of another source it keeps what all sources
    share."""
    if change.get("source", recipe.get("source")) != recipe.get("source"):
        recipe = {key: value for key, value in recipe.items() if key in Recipe.model_fields}
    return laid_over(recipe, change)


def _missing(recipe: Recipe, data_dir: Path) -> Path | None:
    """`_missing` returns the first file that a recipe needs and that is not there."""
    files = [*recipe.own_files(data_dir), *recipe.published_files(data_dir)]
    return next((file for file in files if not file.is_file()), None)


def _recipes_of(block: Any) -> list[str]:
    """`_recipes_of` returns the names of the recipes that a raw block is about."""
    axis = mapping(mapping(block).get("axes")).get("data", [])
    named = [mapping(block).get("data"), *(axis.values() if isinstance(axis, dict) else listed(axis))]
    return [name for name in dict.fromkeys(named) if isinstance(name, str)]


def _closure(wanted: Iterable[str], blocks: Mapping[str, Any]) -> list[str]:
    """`_closure` returns the blocks wanted, and those whose networks they start from, in the order of all."""
    found: set[str] = set()
    left = list(wanted)
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        left += [one for one in _values_at("from", blocks[name]) if isinstance(one, str) and one in blocks]
    return [name for name in blocks if name in found]


def _values_at(key: str, value: Any) -> Iterator[Any]:
    """`_values_at` yields what stands at a key, however deep."""
    for name, inner in mapping(value).items():
        if name == key:
            yield inner
        yield from _values_at(key, inner)


def _shifted(block: Any, recipes: Mapping[str, Any], shift: int) -> Any:
    """`_shifted` returns a raw block with seeds of its own. Where several seeds share a split, the seeds move
    as many times as far, so that the splits of all blocks move by the same."""
    split = mapping(recipes.get(mapping(block).get("data"))).get("split")
    each = mapping(split).get("seeds_each", 1)
    seed = mapping(block).get("seed", Block.model_fields["seed"].default.start)
    try:
        if isinstance(seed, dict):
            return block | {"seed": seed | {"start": int(seed["start"]) + shift * int(each)}}
        return block | {"seed": int(seed) + shift * int(each)}
    except (KeyError, TypeError, ValueError):  # which the validation of the block says
        return block


def _read(
    base: Mapping[str, Any],
    studies: Mapping[str, Any],
    kept: Mapping[str, Mapping[str, Any]],
    not_asked: Mapping[str, dict[str, str]],
    path: str,
) -> tuple[Config, dict[tuple[str, str], Grid]]:
    """`_read` returns the config of the blocks that can be asked, and their grids. What no network can be, on
    these data, becomes a reason in `not_asked`; mistakes of form are the replication's own."""
    while True:
        left = {
            study: {block: one for block, one in blocks.items() if block not in not_asked[study]}
            for study, blocks in kept.items()
        }
        entries = {
            study: entry | {"blocks": left[study], "figures": _figures(entry, left[study])}
            for study, entry in studies.items()
            if left[study]
        }
        raw = {**base, "studies": entries, "run": [*entries] or None}
        try:
            config = Config.model_validate(raw)
        except ValidationError as error:
            mistakes = explain(error, Config, raw)
            raise ConfigError([Mistake(f"{path}: {where}", reason) for where, reason in mistakes]) from None
        if not entries:
            return config, {}
        try:
            config, grids = read_config(Laid(raw, [Layer("", "", raw)], []))
        except ConfigError as error:
            reasons = [(_block_of(where, kept), reason) for where, reason in error.mistakes]
            if None in dict(reasons):
                raise
        else:
            gigabytes = config.execution.kernel_memory_gb
            found = ((key, kernel_problem(grid.cells, gigabytes)) for key, grid in grids.items())
            reasons = [(key, reason) for key, reason in found if reason]
            if not reasons:
                return config, grids
        for (study, block), reason in reasons:
            not_asked[study].setdefault(block, reason)
        for study, blocks in kept.items():  # what starts from a block that cannot be asked cannot be either
            for block in blocks:
                gone = [one for one in _closure([block], blocks) if one in not_asked[study]]
                if gone:
                    not_asked[study].setdefault(block, f"starts from {gone[0]}: {not_asked[study][gone[0]]}")


def _block_of(where: str, kept: Mapping[str, Any]) -> tuple[str, str] | None:
    """`_block_of` returns study and block that a mistake's path is about."""
    names = where.split(".")
    known = len(names) > 3 and names[0] == "studies" and names[3] in kept.get(names[1], ())
    return (names[1], names[3]) if known else None


def _figures(entry: Mapping[str, Any], blocks: Collection[str]) -> dict[str, Any]:
    """`_figures` returns those figures of a study whose blocks are all there."""
    return {
        name: figure
        for name, figure in mapping(entry.get("figures")).items()
        if {mapping(figure).get("block"), *listed(mapping(figure).get("beside"))} <= {*blocks}
    }
