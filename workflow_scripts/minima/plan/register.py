"""The claims register: statements, published or ours, each turned into estimands, regions and a control.

A register is a file of its own, the claims.yaml of a study's folder, written before the runs it judges.
"""

import ast
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, ValidationError, field_validator, model_validator

from minima.plan import parts
from minima.plan.layers import listed, read_yaml, shown
from minima.plan.mistakes import ConfigError, Mistake, explain, unknown
from minima.plan.options import Options
from minima.plan.studies import estimand_module, folders, functions_of, own_files

LEAST_FOR_BOOTSTRAP = 20  # units: with fewer, BCa's 95 % interval covers 84 % (n = 5) to 90 % (n = 10)


class Pilot(Options):
    """What a pilot on other seeds found of a part, per unit."""

    mean: float = Field(description="Mean over the units.")
    sd: float = Field(ge=0, description="Standard deviation over the units.")
    n: int = Field(ge=2, description="Units of the pilot.")


class Part(Options):
    """One number of a claim, and where it must lie."""

    estimand: str = Field(
        description="Function of the dataset: study.function of a study's estimands.py, or module.function "
        "of findings/estimands."
    )
    arguments: dict[str, Any] = Field({}, description="What the estimand is asked: block, selection …")
    region: tuple[float | None, float | None] = Field(description="[low, high]; null: unbounded.")
    source: Literal["published", "ours"] = Field(
        "ours", description="published: the paper itself says it; ours: we do, beside it."
    )
    interval: Literal["t", "bootstrap", "every", "count"] = Field(
        "t",
        description="t: Student's, of the mean of a number or slope per unit; bootstrap: BCa, of the "
        "statistic, whole units resampled; every: each unit must lie in the region; count: `at_least` must.",
    )
    at_least: int | None = Field(
        None, ge=1, description="How many of `replicates` units must lie in the region; with `count` alone."
    )
    replicates: int = Field(5, ge=2, description="Units needed; with fewer the part is inconclusive.")
    comparable: bool = Field(
        False,
        description="The number means the same on every data set (a slope, a ratio to theory), so that a "
        "mean over data sets says something; with `t` alone.",
    )
    pilot: Pilot | None = Field(
        None, description="What the pilot found; the page shows the n that it asks for."
    )
    label: str = Field(min_length=1, description="Which part of the claim this is.")

    @property
    def module(self) -> str:
        """`module` returns the module that holds the estimand."""
        return estimand_module(self.estimand)

    def blocks_named(self, blocks: Collection[str]) -> list[str]:
        """`blocks_named` returns those of a study's blocks that the arguments of the estimand name."""
        words = [word for value in self.arguments.values() for word in listed(value)]
        return [word for word in words if isinstance(word, str) and word in blocks]

    @field_validator("region")
    @classmethod
    def _can_be_missed(cls, region: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
        low, high = region
        if low is None and high is None:
            raise ValueError("needs at least one bound, or nothing could refute it")
        if low is not None and high is not None and low > high:
            raise ValueError(f"the low bound {low:g} is above the high one {high:g}")
        return region

    @model_validator(mode="after")
    def _fits_its_interval(self) -> Self:
        if (self.interval == "count") != (self.at_least is not None):
            raise ValueError("at_least belongs to interval: count, which needs it")
        if self.at_least is not None and self.at_least > self.replicates:
            raise ValueError(f"at_least {self.at_least} is more than the {self.replicates} replicates")
        if self.comparable and self.interval != "t":
            raise ValueError("comparable asks for a mean over data sets, which interval: t alone has")
        if self.interval == "bootstrap" and self.replicates < LEAST_FOR_BOOTSTRAP:
            raise ValueError(f"interval: bootstrap needs replicates of {LEAST_FOR_BOOTSTRAP} or more")
        return self


class Control(Part):
    """A configuration in which the effect must be absent, so that a broken estimator cannot pass."""

    statement: str = Field(description="What must hold there.")


class NoControl(Options):
    """The reason why a claim has no control."""

    reason: str = Field(min_length=1, description="Why there is none.")


def _control_or_none(control: Any) -> str:
    """The tag of the union: a mapping with a reason says why there is no control."""
    return "none" if isinstance(control, NoControl) or "reason" in _keys(control) else "a control"


def _keys(value: Any) -> Any:
    return value if isinstance(value, dict) else ()


class Claim(Options):
    """One statement, published or ours."""

    id: str = Field(description="Short name, like init-1 or lin-2b.")
    paper: str = Field(
        "", description="The paper that claims it: its arXiv number, or how it is called; none: ours."
    )
    study: str = Field(
        description="The study whose dataset it is judged on; left out in the register of a study's folder."
    )
    statement: str = Field(description="What is claimed, in words.")
    published: str = Field("", description="The paper's own number for it, where it gives one.")
    unit: str = Field("seed: data split and initialization", description="Unit of replication.")
    parts: list[Part] = Field(
        min_length=1,
        description="All published ones must hold, or all where none is; the first of those is the headline.",
    )
    control: Annotated[
        Annotated[Control, Tag("a control")] | Annotated[NoControl, Tag("none")],
        Discriminator(_control_or_none),
    ] = Field(description="A control, or {reason: why there is none}.")
    figures: list[str] = Field([], description="Figures of the study that show it.")

    @field_validator("id")
    @classmethod
    def _short(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z]+-[0-9]+[a-z]?", name):
            raise ValueError(f"'{name}' should be like init-1 or lin-2b")
        return name

    @property
    def source(self) -> str:
        """`source` returns whose statement it is: published where any of its parts is."""
        return "published" if any(part.source == "published" for part in self.parts) else "ours"

    @property
    def asked(self) -> list[Part]:
        """All that is estimated for it."""
        return [*self.parts, *([self.control] if self.has_control else [])]

    @property
    def has_control(self) -> bool:
        """`has_control` returns whether the claim has a control, not a reason for none."""
        return isinstance(self.control, Control)


class Register(Options):
    """All claims."""

    claims: list[Claim] = Field(description="The claims, in the order of the report.")


def read_registers(files: Mapping[Path, str]) -> list[Claim]:
    """`read_registers` returns the claims of register files, each of the study whose folder holds it, or of
    any (""). Raises `ConfigError` with every mistake in them."""
    claims: list[Claim] = []
    mistakes: list[Mistake] = []
    known = known_estimands()
    for path, study in files.items():
        try:
            found = read_register(path, study)
        except ConfigError as error:
            mistakes += error.mistakes
            continue
        ids = [claim.id for claim in (*claims, *found)]
        for claim in found:
            where = f"{shown(path)}: {claim.id}"
            if ids.count(claim.id) > 1:
                mistakes.append(Mistake(where, "stands twice"))
            for part in claim.asked:
                if part.estimand not in known:
                    mistakes.append(Mistake(where, unknown(part.estimand, known, "no estimand")))
                else:
                    mistakes += [Mistake(where, reason) for reason in _misfits(part, known[part.estimand])]
        claims += found
    if mistakes:
        raise ConfigError(mistakes)
    return claims


def read_register(path: Path, study: str = "") -> list[Claim]:
    """`read_register` returns the claims of one register, whose form alone is checked."""
    raw, mistakes = read_yaml(path)
    if mistakes:
        raise ConfigError(mistakes)
    for claim in listed(raw.get("claims")):
        if study and isinstance(claim, dict) and claim.setdefault("study", study) != study:
            where = f"{shown(path)}: {claim.get('id')}.study"
            mistakes.append(Mistake(where, f"the register of {study} has no claims about other studies"))
    try:
        claims = Register.model_validate(raw).claims
    except ValidationError as error:
        mistakes += _by_id(explain(error, Register, raw, "register"), raw, shown(path))
    if mistakes:
        raise ConfigError(mistakes)
    return claims


def _by_id(mistakes: Iterable[Mistake], raw: Any, path: str) -> Iterable[Mistake]:
    """The mistakes under the file's name and the claim's id, which is easier to find than its number."""
    for where, reason in mistakes:
        _, *rest = where.split(".")
        if rest[1:] and isinstance(claim := raw["claims"][int(rest[1])], dict) and "id" in claim:
            rest[:2] = [str(claim["id"])]
        yield Mistake(": ".join(filter(None, [path, ".".join(rest)])), reason)


def known_estimands() -> dict[str, ast.arguments]:
    """`known_estimands` returns every public function of the studies' estimands.py and of findings/estimands,
    as module.function, with its signature; read, not imported."""
    files = {name: parts.file_of("estimands", name) for name in parts.names("estimands")}
    files |= {study: path for study in folders() for path in own_files(study, "estimands.py")}
    return {name: args for module in sorted(files) for name, args in _functions(module, files[module])}


def _functions(module: str, path: Path) -> Iterable[tuple[str, ast.arguments]]:
    for node in functions_of(path):
        if not node.name.startswith("_"):
            yield f"{module}.{node.name}", node.args


def _misfits(part: Part, signature: ast.arguments) -> Iterable[str]:
    """Arguments that the estimand does not have, and those that it needs; its first is the dataset."""
    names = [argument.arg for argument in signature.args[1:]]
    for name in part.arguments:
        if name not in names:
            yield unknown(name, names, f"no argument of {part.estimand}")
    for name in names[: len(names) - len(signature.defaults)]:
        if name not in part.arguments:
            yield f"{part.estimand} needs the argument {name}"
