"""From raw YAML to a validated config and its grids, with every mistake at once."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from minima.plan import parts
from minima.plan.config import Block, Config
from minima.plan.figures import blocks_drawn, known_figures
from minima.plan.grid import Grid, expand
from minima.plan.layers import Laid, listed, mapping
from minima.plan.layout import SHARED_FOLDERS
from minima.plan.mistakes import REASONS, ConfigError, Mistake, explain, unknown
from minima.plan.recipes import DataRecipe
from minima.plan.starts import with_starts
from minima.plan.studies import folders


def read_config(laid: Laid) -> tuple[Config, dict[tuple[str, str], Grid]]:
    """The validated config and the grids of the studies to run, by (study, block).

    Raises `ConfigError` with every mistake: those of form, of reference and of the grids.
    """
    mistakes: list[Mistake] = []
    given = mapping(laid.config["data"])
    recipes = _well_formed(given, TypeAdapter(DataRecipe).validate_python)
    studies: dict[str, Any] = {}
    grids: dict[tuple[str, str], Grid] = {}
    for study, entry in mapping(laid.config["studies"]).items():
        if study in SHARED_FOLDERS:
            mistakes.append(
                Mistake(f"studies.{study}", "is the name of a folder of all studies' results; choose another")
            )
        blocks, own, found = _read_blocks(study, mapping(entry), recipes, given)
        studies[study] = entry | {"blocks": entry["blocks"] | blocks} if blocks else entry
        grids |= {(study, block): grid for block, grid in own.items()}
        mistakes += [*found, *_figure_mistakes(study, mapping(entry), f"studies.{study}.figures")]
        mistakes += [
            Mistake(f"studies.{study}.roles.{role}", unknown(name, given, "no data recipe"))
            for role, names in mapping(mapping(entry).get("roles")).items()
            for name in listed(names)
            if isinstance(name, str) and name not in given
        ]
    for name in listed(laid.config.get("run")):
        if isinstance(name, str) and name not in studies:
            mistakes.append(Mistake("run", unknown(name, [*studies, *folders()], "no study")))
    if not laid.config["studies"] and not mistakes:
        mistakes.append(Mistake("run", f"names no study (known: {', '.join(folders())})"))
    config = None
    whole = (
        laid.config | ({"data": given | recipes} if given else {}) | ({"studies": studies} if studies else {})
    )
    try:
        config = Config.model_validate(whole)  # what is validated already is not again
    except ValidationError as error:
        mistakes = [*explain(error, Config, whole), *mistakes]
    if mistakes or laid.mistakes or config is None:
        raise ConfigError([*laid.mistakes, *map(laid.placed, mistakes)])
    wanted = config.run or list(config.studies)
    return config, {key: grid for key, grid in grids.items() if key[0] in wanted}


def _read_blocks(
    study: str, entry: Mapping[str, Any], recipes: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[dict[str, Block], dict[str, Grid], list[Mistake]]:
    """`_read_blocks` returns the well-formed blocks of a study, the grids of these and of what is sound in
    the others, and mistakes beside those of form."""
    raw = mapping(entry.get("blocks"))
    blocks: dict[str, Block] = {}
    sound: dict[str, Block] = {}
    for name, block in raw.items():
        try:
            blocks[name] = Block.model_validate(block)
        except ValidationError as error:
            sound |= _well_formed({name: _sound_part(block, error)}, Block.model_validate)
    mistakes: list[Mistake] = []
    grids: dict[str, Grid] = {}
    for name in raw:
        path = f"studies.{study}.blocks.{name}"
        if (block := blocks.get(name) or sound.get(name)) is None:
            continue
        if block.data not in recipes:
            if block.data not in given:
                mistakes.append(Mistake(f"{path}.data", unknown(block.data, recipes, "no data recipe")))
            continue
        try:
            grids[name] = expand(block, recipes, path)
            if block.references:
                mistakes += _reference_mistakes(entry.get("references"), grids[name], path)
        except ConfigError as error:
            mistakes += error.mistakes
    grids, found = with_starts(grids, f"studies.{study}.blocks", raw)
    return blocks, grids, [*mistakes, *found]


def _well_formed(raw: Mapping[str, Any], validate: Callable[[Any], Any]) -> dict[str, Any]:
    """`_well_formed` returns the entries of a mapping that validate; the mistakes of the others are reported
    with the whole config."""
    good = {}
    for name, value in raw.items():
        try:
            good[name] = validate(value)
        except ValidationError:
            continue
    return good


def _sound_part(block: Any, error: ValidationError) -> Any:
    """`_sound_part` returns a block without the sections that the error is about and the axes over these, so
    that mistakes in the rest are found in the same run."""
    bad = {str(detail["loc"][0]) for detail in error.errors() if detail["loc"]}
    rest = {key: value for key, value in mapping(block).items() if key not in bad}
    axes = mapping(rest.get("axes")).items()
    return rest | {"axes": {path: v for path, v in axes if str(path).split(".")[0] not in bad}}


def _figure_mistakes(study: str, entry: Mapping[str, Any], path: str) -> list[Mistake]:
    blocks = mapping(entry.get("blocks"))
    mistakes = []
    for name, figure in mapping(entry.get("figures")).items():
        figure = mapping(figure)
        kind, block = figure.get("kind") or name, figure.get("block")
        drawn = [
            (key, wanted)
            for key in ("block", "beside")
            for wanted in (figure[key] if isinstance(figure.get(key), list) else [figure.get(key)])
            if isinstance(wanted, str) and wanted
        ]
        if not isinstance(kind, str):  # which the form of a figure says
            continue
        if kind not in (kinds := known_figures(study)):
            mistakes.append(Mistake(f"{path}.{name}", unknown(kind, kinds, "no kind of figure")))
        elif wrong := _wrong_number(kind, kinds[kind], sum(key == "beside" for key, _ in drawn)):
            mistakes.append(Mistake(f"{path}.{name}.beside", wrong))
        for key, wanted in drawn:
            if wanted not in blocks:
                mistakes.append(
                    Mistake(f"{path}.{name}.{key}", unknown(wanted, blocks, "no block of the study"))
                )
        if not block and len(blocks) > 1:
            choices = ", ".join(map(str, blocks))
            mistakes.append(Mistake(f"{path}.{name}", f"say which block it draws: {choices}"))
    return mistakes


def _wrong_number(kind: str, module: str, beside: int) -> str:
    """`_wrong_number` returns why a figure cannot be drawn of one block and `beside` others, or ""."""
    least, most = blocks_drawn(module)
    if 1 + beside < least:
        return f"{REASONS['missing']}: {kind} draws {least} blocks"
    return f"{kind} draws {most} block{'s' * (most > 1)}, not {1 + beside}" if 1 + beside > most else ""


def _reference_mistakes(references: Any, grid: Grid, path: str) -> list[Mistake]:
    """`_reference_mistakes` says which references cannot be of which networks."""
    cells = {cell.written("network"): cell.values for cell in grid.cells}.values()
    named = [
        reference
        for name, options in mapping(references).items()
        if options is not None and name in parts.names("references")
        for reference in _well_formed(
            {name: options}, parts.declaration("references", name).model_validate
        ).values()
    ]
    return [Mistake(path, reason) for one in named for cell in cells for reason in one.impossible(cell)]
