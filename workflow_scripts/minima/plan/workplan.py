"""The plan of a config: its grids, packs, data files, references, claims and figures."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from minima.plan import parts
from minima.plan.config import Block
from minima.plan.cost import kernel_problem
from minima.plan.digest import canonical, digest
from minima.plan.figures import caption, figure_module
from minima.plan.files import DataFile, ReferenceFit, data_file, reference_fit
from minima.plan.fingerprint import files_beside
from minima.plan.grid import Cell, Grid
from minima.plan.layers import CLAIMS, lay, listed, mapping, scales_of_blocks
from minima.plan.layout import Layout, folder_of
from minima.plan.mistakes import ConfigError, Mistake, unknown
from minima.plan.own_modules import look_in
from minima.plan.packs import Pack, make_packs
from minima.plan.reading import read_config
from minima.plan.register import Claim, Part, read_registers
from minima.plan.replications import asked_by
from minima.plan.stamps import Stamps
from minima.plan.studies import own_files
from minima.plan.turns import Turns, turns_of


class Plan:
    """All that a validated config asks for. Reads nothing but the config and minima's own code."""

    name = ""  # of a replication

    def __init__(self, raw: Mapping[str, Any]) -> None:
        parts.extend([one for one in listed(mapping(raw).get("extensions")) if isinstance(one, str)])
        look_in([one for one in listed(mapping(raw).get("network_dirs")) if isinstance(one, str)])
        laid = lay(raw)
        self.config, self.grids = read_config(laid)
        # What jobs get, so that an edit of a study during a run is seen by the next one.
        self.whole = laid.config | {"whole": True, "scale": None}
        self.paths = self.layout_of("")
        self._replications: dict[str, Replicated] = {}

    def at(self, within: str) -> "Plan":
        """`at` returns the plan whose results stand in a folder of the results folder: this one ("") or that
        of a replication, made when it is first asked for."""
        return self.of(next((name for name in self.config.replications if folder_of(name) == within), ""))

    def of(self, name: str) -> "Plan":
        """`of` returns the plan of a replication, or this one where none is named."""
        if name and name not in self._replications:
            self._replications[name] = Replicated(self, name)
        return self._replications[name] if name else self

    def layout_of(self, name: str) -> Layout:
        """`layout_of` returns the paths of a replication, or of the studies as they are ("")."""
        return Layout(self.config.results, folder_of(name))

    @property
    def stamps(self) -> Stamps:
        """`stamps` returns what each output depends on beside its input files."""
        return Stamps(self)

    @property
    def data_sets(self) -> dict[str, str]:
        """`data_sets` returns name → title of those on which the claims are asked: of the studies' own
        (""), and of each replication."""
        titles = {name: one.title or name for name, one in self.config.replications.items()}
        return {"": "the registered data"} | titles

    @property
    def chosen(self) -> "Plan":
        """`chosen` returns the plan that the config is to be run as."""
        return self.of(self.config.replication or "")

    def recorded_as(self, study: str) -> str:
        """`recorded_as` returns the name under which a study's use of the store is known."""
        return f"{self.name}.{study}" if self.name else study

    def check(self) -> None:
        """What must hold beside a well-formed config before any job starts. Raises `ConfigError`."""
        check_writable(self.config.results)
        _ = self.claims  # reads the register
        if (name := self.config.replication) and name not in self.config.replications:
            known = self.config.replications
            raise ConfigError([Mistake("replication", unknown(name, known, "no replication"))])
        gigabytes = self.config.execution.kernel_memory_gb
        problems = {path: kernel_problem(grid.cells, gigabytes) for path, grid in self.grids.items()}
        large = [
            Mistake(f"studies.{study}.blocks.{block}", why) for (study, block), why in problems.items() if why
        ]
        if large:
            raise ConfigError(large)

    @property
    def studies(self) -> list[str]:
        return list(dict.fromkeys(study for study, _ in self.grids))

    @cached_property
    def claims(self) -> list[Claim]:
        """The registered claims about the studies to run: those of each study's folder, then the config's."""
        if not self.config.verdicts:
            return []
        files = {path: study for study in self.studies for path in own_files(study, CLAIMS)}
        if self.config.claims:
            files[Path(self.config.claims)] = ""
        claims = read_registers(files)
        misspelt = [  # a register may know studies that this config does not have, but not nearly so
            Mistake(f"{self.config.claims}: {claim.id}", unknown(claim.study, near, "no study"))
            for claim in claims
            if claim.study not in self.config.studies
            and (near := get_close_matches(claim.study, self.config.studies, n=1, cutoff=0.8))
        ]
        if misspelt:
            raise ConfigError(misspelt)
        return [claim for claim in claims if claim.study in self.studies]

    @property
    def judged_studies(self) -> list[str]:
        """The studies with claims and networks that these are about."""
        claimed = dict.fromkeys(claim.study for claim in self.claims)
        return [study for study in claimed if study in self.studies]

    def claims_about(self, study: str) -> list[Claim]:
        return [claim for claim in self.claims if claim.study == study]

    def verdicts_of(self, study: str) -> list[str]:
        """`verdicts_of` returns the file of the study's verdicts, where there are claims about it."""
        return [self.paths.verdicts(study)] if study in self.judged_studies else []

    @cached_property
    def not_asked(self) -> dict[str, list[str]]:
        """`not_asked` returns claim → of each of its parts, and its control, why it is not asked, or "", of
        those claims that are not asked whole."""
        reasons = {claim.id: [self._why_not(claim, part) for part in claim.asked] for claim in self.claims}
        return {claim: found for claim, found in reasons.items() if any(found)}

    def _why_not(self, claim: Claim, part: Part) -> str:
        """`_why_not` returns why a part is not asked, or "": its block may be one of another scale."""
        if part.arguments.get("block") in self._blocks[claim.study]:
            return ""
        scales = scales_of_blocks(claim.study)
        named = [one for one in part.blocks_named(scales) if one not in self._blocks[claim.study]]
        return f"asked with scale: {scales[named[0]]} alone" if named else ""

    @cached_property
    def _blocks(self) -> dict[str, Mapping[str, Block]]:
        """Study → its blocks."""
        return {study: self.config.studies[study].blocks for study in self.studies}

    @cached_property
    def cells(self) -> dict[str, Cell]:
        """Digest → cell, over all blocks."""
        return {cell.digest: cell for grid in self.grids.values() for cell in grid.cells}

    @cached_property
    def network_files(self) -> dict[str, Path]:
        """`network_files` returns the files of the user's own networks, and what these import beside them, by
        their places relative to the folder in which such files are looked for."""
        named = {
            cell["network"]["file"] for cell in self.cells.values() if cell["network"]["kind"] == "module"
        }
        return {inside: path for file in named for inside, path in files_beside(file).items()}

    @cached_property
    def packs(self) -> dict[str, Pack]:
        execution = self.config.execution
        seconds, megabytes = 60 * execution.pack_minutes, 1000 * execution.device_memory_gb
        asking: dict[str, set[str]] = {}
        for (study, _), grid in self.grids.items():
            for cell in grid.cells:
                asking.setdefault(cell.digest, set()).add(study)
        return make_packs(self.cells.values(), seconds, megabytes, asking)

    @cached_property
    def data_files(self) -> dict[str, DataFile]:
        return {file.name: file for file in map(data_file, self.cells.values())}

    @cached_property
    def _pack_of(self) -> dict[str, str]:
        return {cell.digest: pack.name for pack in self.packs.values() for cell in pack.cells}

    def packs_of(self, study: str) -> list[str]:
        """The packs that hold the study's cells."""
        blocks = [grid for (name, _), grid in self.grids.items() if name == study]
        return sorted({self._pack_of[cell.digest] for grid in blocks for cell in grid.cells})

    def data_of(self, pack: str) -> list[str]:
        """The data files that a pack reads."""
        return sorted({data_file(cell).name for cell in self.packs[pack].cells})

    def starts_of(self, pack: str) -> list[str]:
        """The packs that hold the cells which a pack's cells start from."""
        starts = (cell.start for cell in self.packs[pack].cells)
        return sorted({self._pack_of[start.digest] for start in starts if start is not None})

    def data_of_network(self, cell: str) -> str:
        """The data file that one network is trained on."""
        return data_file(self.cells[cell]).name

    def starts_of_network(self, cell: str) -> list[str]:
        """The pack that holds the network from which one starts, if it does."""
        start = self.cells[cell].start
        return [self._pack_of[start.digest]] if start is not None else []

    def turns(self, cores: int) -> Turns:
        """`turns` returns when jobs should begin on so many cores."""
        if cores not in self._turns:
            self._turns[cores] = turns_of(self, cores)
        return self._turns[cores]

    @cached_property
    def _turns(self) -> dict[int, Turns]:
        return {}

    def data_of_study(self, study: str) -> list[str]:
        return sorted(
            {data_file(cell).name for grid in self.blocks_of(study).values() for cell in grid.cells}
        )

    def own_files(self, name: str) -> list[str]:
        """The user's files behind a data file: a change in one prepares it again."""
        file = self.data_files[name]
        return [str(path) for path in file.recipe.own_files(Path(self.config.data_dir))]

    @cached_property
    def _fits_of_study(self) -> dict[str, dict[str, ReferenceFit]]:
        """Study → name → fit, of every data file and architecture of its cells."""
        fits: dict[str, dict[str, ReferenceFit]] = {study: {} for study in self.studies}
        for (study, block), grid in self.grids.items():
            if kinds := self.config.studies[study].references_of(block):
                fits[study] |= {fit.name: fit for fit in (reference_fit(cell, kinds) for cell in grid.cells)}
        return fits

    @cached_property
    def reference_fits(self) -> dict[str, ReferenceFit]:
        """Name → fit, over all studies."""
        return {name: fit for fits in self._fits_of_study.values() for name, fit in fits.items()}

    def references_of(self, study: str) -> list[str]:
        """The fits that a study's dataset is made of."""
        return sorted(self._fits_of_study[study])

    def blocks_of(self, study: str) -> dict[str, Grid]:
        return {block: grid for (name, block), grid in self.grids.items() if name == study}

    @cached_property
    def config_digest(self) -> str:
        """Of the studies of this run, with their data, and of the claims about them. Not of how jobs run."""
        # Not the blocks as written: `8` and `"8"` are the same width, and the stamps know the cells.
        studies = {
            study: [
                self.stamps.study(study),
                self.config.studies[study].model_dump(mode="json", exclude={"blocks", "data", "roles"}),
            ]
            for study in self.studies
        }
        claims = [claim.model_dump(mode="json") for claim in self.claims]
        return digest(canonical([studies, claims]))

    @property
    def drawn_studies(self) -> list[str]:
        """The studies that have figures."""
        return [study for study in self.studies if self.config.studies[study].figures]

    @property
    def figures(self) -> list[tuple[str, str]]:
        """Study and name of every figure."""
        return [(study, name) for study in self.studies for name in self.config.studies[study].figures]

    def figure(self, study: str, figure: str) -> tuple[str, ...]:
        """Kind and blocks of a figure, defaults filled in."""
        chosen = self.config.studies[study].figures[figure]
        block = chosen.block or next(iter(self.config.studies[study].blocks))
        return (chosen.kind or figure, block, *chosen.beside)

    def figure_module(self, study: str, figure: str) -> str:
        """The module that draws a figure."""
        return figure_module(study, self.figure(study, figure)[0])

    def caption(self, study: str, figure: str) -> str:
        """What a figure shows, in words."""
        return caption(self.figure_module(study, figure))

    def captions(self, study: str) -> dict[str, str]:
        """Figure → what it shows, for which claims; by name, for the order in a config means nothing."""
        about = {}
        for name in sorted(self.config.studies[study].figures):
            claims = ", ".join(self.claims_shown(study, name)) or "none"
            about[name] = f"{self.caption(study, name)}\n\nClaims: {claims}."
        return about

    def claims_shown(self, study: str, figure: str) -> list[str]:
        """The ids of the claims that a figure belongs to."""
        return [claim.id for claim in self.claims if claim.study == study and figure in claim.figures]


class Replicated(Plan):
    """The plan of a replication: of the same studies on other data, and of all claims about them."""

    def __init__(self, plan: Plan, name: str) -> None:
        self.name = name
        self.whole = plan.whole
        self.paths = plan.layout_of(name)
        self.claims = plan.claims
        found = asked_by(plan.whole, plan.config, name, plan.claims, plan.studies)
        self.config, self.grids, self._blocks_not_asked, self._left_out = found
        self._blocks = plan._blocks

    def _why_not(self, claim: Claim, part: Part) -> str:
        why = self._blocks_not_asked[claim.study]
        named = part.blocks_named(self._blocks[claim.study])
        own = self._left_out.get(claim.id) or next((why[block] for block in named if block in why), "")
        return own or super()._why_not(claim, part)


def check_writable(folder: str | os.PathLike) -> None:
    """Refuses a results folder that cannot be written, before any job starts."""
    path = Path(folder).absolute()
    nearest = next(p for p in (path, *path.parents) if p.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError([Mistake("results", f"the folder {path} cannot be written")])


def share_with_scripts() -> None:
    """Makes every job's script import this very package: PYTHONPATH goes before an installed copy, the end of
    `sys.path`, where Snakemake puts a script's folder, does not."""
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
