"""What each output depends on beside its input files, as a short text: the `params` of rules."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from minima.plan.digest import canonical, digest
from minima.plan.fingerprint import cell_fingerprint, fingerprint, preparing_modules, reference_modules
from minima.plan.grid import by_group
from minima.plan.versions import library_versions

if TYPE_CHECKING:
    from minima.plan.register import Claim
    from minima.plan.workplan import Plan


class Stamps:
    """`Stamps` are digests of what a plan asks for and of the code that makes it: an output whose stamp is
    another one is made again."""

    def __init__(self, plan: "Plan") -> None:
        self.plan = plan

    def data(self, name: str) -> str:
        """`data` returns what a data file depends on beside the user's files: what is known of its source,
        and code."""
        file = self.plan.data_files[name]
        facts = digest(canonical(file.recipe.facts._asdict()))
        return f"{facts}-{fingerprint(preparing_modules(file.recipe))}"

    def reference(self, name: str) -> str:
        """`reference` returns what a file of references depends on beside its data: code."""
        fit = self.plan.reference_fits[name]
        return fingerprint(reference_modules(fit.kinds, fit.activation))

    def network(self, cell: str) -> str:
        """`network` returns what one network depends on beside its data: code."""
        return cell_fingerprint(self.plan.cells[cell])

    def pack(self, pack: str) -> str:
        """`pack` returns what a pack's output depends on beside its data: cells, code and, where the config
        insists on them, the versions of libraries."""
        cells = self.plan.packs[pack].cells
        code = sorted({cell_fingerprint(group[0]) for group in by_group(cells).values()})
        reuse = self.plan.config.reuse
        libraries = f" {library_versions()}" if reuse == "same_versions" else ""
        return f"{self.plan.packs[pack].digest}-{digest(','.join(code))}-{reuse}{libraries}"

    def study(self, study: str) -> str:
        """`study` returns what a study's dataset is made of: names, axes and cells, and how its question is
        answered."""
        blocks = {
            block: [[axis.dimension, list(axis.labels)] for axis in grid.axes]
            + [[c.digest for c in grid.cells]]
            for block, grid in self.plan.blocks_of(study).items()
        }
        references = {block: self.plan.config.studies[study].references_of(block) for block in blocks}
        texts = self.plan.config.studies[study].model_dump(include={"title", "citation", "nearest_within"})
        return digest(canonical([blocks, references, texts]))

    def dataset(self, study: str) -> str:
        """`dataset` returns what a study's dataset depends on beside its input files: its own stamp, and
        code."""
        return f"{self.study(study)}-{fingerprint(['minima.findings.dataset'])}"

    def verdicts(self, study: str) -> str:
        """`verdicts` returns what a study's verdicts depend on beside its dataset: the claims about it and
        the code of their estimands."""
        claims = self.plan.claims_about(study)
        return self._judged(claims, {part.module for claim in claims for part in claim.asked})

    def claims(self) -> str:
        """`claims` returns what all verdicts together depend on beside those of each study: the register."""
        return self._judged(self.plan.claims, ())

    def section(self, study: str) -> str:
        """`section` returns what a study's part of the report depends on beside its dataset: code."""
        return fingerprint(["minima.findings.sections"])

    def origin(self, study: str) -> str:
        """`origin` returns all that a study's dataset is made of, but for the user's own files: which result
        is of this config is known by it, however far a run has come."""
        stamps = [self.pack(pack) for pack in self.plan.packs_of(study)]
        stamps += [self.reference(name) for name in self.plan.references_of(study)]
        stamps += [self.data(name) for name in self.plan.data_of_study(study)]
        return digest(canonical([self.dataset(study), self.section(study), *stamps]))

    def figures(self, study: str) -> str:
        """`figures` returns what a study's figures depend on beside its dataset: which they are, and the code
        of each."""
        stamps = {name: self.figure(study, name) for name in self.plan.config.studies[study].figures}
        return digest(canonical(stamps))

    def figure(self, study: str, figure: str) -> str:
        """`figure` returns what one figure depends on beside the dataset."""
        kind, *blocks = self.plan.figure(study, figure)
        drawn_by = ["minima.findings.drawing", self.plan.figure_module(study, figure)]
        return f"{kind}-{'-'.join(blocks)}-{fingerprint(drawn_by)}"

    def report(self) -> str:
        """`report` returns what the report says beside its inputs, and its own code."""
        kinds = {self.plan.figure_module(*figure) for figure in self.plan.figures}
        return f"{self.plan.config_digest}-{fingerprint(['minima.findings.reporting', *kinds])}"

    def provenance(self) -> str:
        """`provenance` returns what the provenance is of, and its own code."""
        return f"{self.plan.config_digest}-{fingerprint(['minima.findings.provenance'])}"

    def comparison(self) -> str:
        """`comparison` returns what the comparison of data sets depends on beside their verdicts, and its own
        code."""
        code = fingerprint(["minima.findings.replications"])
        return f"{digest(canonical([self.plan.data_sets, [claim.id for claim in self.plan.claims]]))}-{code}"

    def _judged(self, claims: "list[Claim]", modules: Iterable[str]) -> str:
        asked = [[claim.model_dump(mode="json"), self.plan.not_asked.get(claim.id, [])] for claim in claims]
        return f"{digest(canonical(asked))}-{fingerprint(['minima.findings.claims', *modules])}"
