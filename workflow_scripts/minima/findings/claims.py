"""Verdicts: each claim of the register, estimated on its study's dataset and held against its region.

Supported: the interval lies inside the region; refuted: it lies outside; else inconclusive. A claim of
several parts needs all of those that the paper says, or all where it says none, and one with a control also
the control: an estimator that finds the effect where it must be absent proves nothing. What a replication's
data cannot answer is not asked: the verdict is that of the parts that are.
"""

import json
import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from minima.atomic import write_text
from minima.findings.files import write_json
from minima.findings.samples import shared_data
from minima.findings.significance import corrected, p_count, p_inside, p_outside, units_needed
from minima.findings.stats import (
    Interval,
    NotEstimable,
    Sample,
    bootstrap_interval,
    clopper_pearson,
    extent,
    student,
    units_inside,
)
from minima.findings.words import INCONCLUSIVE, NOT_ASKED, REFUTED, SUPPORTED, as_markdown

if TYPE_CHECKING:
    from minima.plan.register import Claim, Part

EXACT = ("every", "count")
NOTHING = {"estimate": None, "low": None, "high": None, "n": 0}
ESTIMATORS = {"t": student, "bootstrap": bootstrap_interval, "every": extent, "count": extent}
OF_A_PART = ("source", "verdict", "reason", "p")  # a claim has its own; else it shows its first deciding part
CONTROL_OUTCOMES = {SUPPORTED: "holds", REFUTED: "fails"}  # else the verdict itself


def judge_study(
    claims: "Sequence[Claim]", dataset: Path, output: Path, not_asked: Mapping[str, Sequence[str]]
) -> None:
    """`judge_study` writes the verdicts on the claims about one study, not corrected for their number:
    `not_asked` maps a claim to the reasons why its parts and its control are not asked, "" where they are."""
    with xr.open_datatree(dataset, engine="netcdf4") as tree:
        write_json([judge(claim, tree, not_asked.get(claim.id, ())) for claim in claims], output)


def join_verdicts(
    claims: "Sequence[Claim]",
    files: Sequence[Path],
    json_path: Path,
    page_path: Path,
    not_asked: Mapping[str, Sequence[str]],
) -> None:
    """`join_verdicts` writes the verdicts on all claims, corrected for their number, for machines and for
    people: those of each study from its file, and of a study that has none that its claims are not asked."""
    found = {verdict["id"]: verdict for path in files for verdict in read_verdicts(path)}
    verdicts = corrected([found.get(claim.id) or judge(claim, None, not_asked[claim.id]) for claim in claims])
    write_text(as_markdown(verdicts), page_path)
    write_json(verdicts, json_path)


def read_verdicts(path: Path) -> list[dict[str, Any]]:
    """`read_verdicts` returns verdicts as they were written."""
    return json.loads(path.read_text(encoding="utf-8"))


def judge(claim: "Claim", tree: xr.DataTree | None, not_asked: Sequence[str] = ()) -> dict[str, Any]:
    """The claim and its verdict as plain values: the verdict of its published parts, and beside it that of
    ours; of a claim that is wholly ours there is one. Its numbers are those of the first deciding part that
    is asked."""
    found = [
        _not_asked(part, reason) if reason else judge_part(part, tree)
        for part, reason in zip_longest(claim.asked, not_asked, fillvalue="")
    ]
    parts = found[: len(claim.parts)]
    control = _control(claim, *found[len(claim.parts) :])
    deciding = [part for part in parts if part["source"] == claim.source]
    deciding.sort(key=lambda part: part["verdict"] == NOT_ASKED)
    ours = [part for part in parts if part["source"] == "ours"]
    verdict, reason = _together(deciding, control)
    verdict_ours, reason_ours = _together(ours, control) if ours else (None, "")
    return {
        "id": claim.id,
        "paper": claim.paper,
        "study": claim.study,
        "statement": claim.statement,
        "source": claim.source,
        "published": claim.published,
        "unit": claim.unit,
        **{key: value for key, value in deciding[0].items() if key not in OF_A_PART},
        "verdict": verdict,
        "reason": reason,
        "verdict_ours": verdict_ours,
        "reason_ours": reason_ours,
        "parts": parts,
        "control": control,
        "figures": claim.figures,
        "headline": claim.has_control,
    }


def judge_part(part: "Part", tree: xr.DataTree) -> dict[str, Any]:
    """One number against its region."""
    found = _described(part)
    try:
        sample = _estimate(part, tree)
    except NotEstimable as error:
        exact = part.interval in EXACT
        return found | NOTHING | {"verdict": INCONCLUSIVE, "reason": str(error), "p": None if exact else 1.0}
    interval = ESTIMATORS[part.interval](sample)
    verdict, reason = _place(part, interval, sample)
    found |= _numbers(interval)
    if part.at_least is not None:
        inside = units_inside(sample, *bounds(part.region))
        found |= {"inside": inside, "share": clopper_pearson(inside, interval.n)}
    reason = "; ".join(filter(None, [reason, sample.note]))
    return found | {"verdict": verdict, "reason": reason, "p": _p_value(part, verdict, sample)}


def _described(part: "Part") -> dict[str, Any]:
    """`_described` returns what is asked."""
    exact = part.interval in EXACT
    return {
        "label": part.label,
        "source": part.source,
        "function": part.estimand,
        "interval": part.interval,
        "region": region_in_words(part.region),
        "bounds": list(part.region),
        "comparable": part.comparable,
        "n_asked": units_needed(part.pilot, bounds(part.region)) if part.pilot and not exact else None,
    }


def _not_asked(part: "Part", reason: str) -> dict[str, Any]:
    return _described(part) | NOTHING | {"verdict": NOT_ASKED, "reason": reason, "p": None}


def _place(part: "Part", interval: Interval, sample: Sample) -> tuple[str, str]:
    """Verdict of a part, and why it is inconclusive where it is."""
    too_few = f"{interval.n} units where {part.replicates} are needed"
    if part.at_least is not None:
        verdict = _count(part, units_inside(sample, *bounds(part.region)), interval.n)
        return verdict, too_few if verdict == INCONCLUSIVE else ""
    if interval.n < part.replicates:
        return INCONCLUSIVE, too_few
    verdict = place(interval, part.region, every=part.interval == "every")
    return verdict, _why_inconclusive(interval) if verdict == INCONCLUSIVE else ""


def _p_value(part: "Part", verdict: str, sample: Sample) -> float | None:
    """By t tests of the region's edges, of a count against one half; None where a verdict is exact."""
    if part.interval == "every" or (part.interval == "count" and verdict == REFUTED):
        return None
    if part.interval == "count":
        return p_count(units_inside(sample, *bounds(part.region)), len(sample.units))
    return (p_outside if verdict == REFUTED else p_inside)(student(sample), bounds(part.region))


def _count(part: "Part", inside: int, n: int) -> str:
    """A claim about `at_least` of `replicates` units. A unit that was left out is not known to lie inside: it
    can keep a claim from being supported, and alone never refutes one."""
    of = max(n, part.replicates)
    needed = of * part.at_least / part.replicates
    if inside >= needed:
        return SUPPORTED
    return REFUTED if n - inside > of - needed else INCONCLUSIVE


def place(interval: Interval, region: tuple[float | None, float | None], every: bool = False) -> str:
    """Where an interval lies. For claims about every unit one unit outside refutes."""
    low, high = bounds(region)
    if math.isnan(interval.low) or math.isnan(interval.high):
        return INCONCLUSIVE
    if low <= interval.low and interval.high <= high:
        return SUPPORTED
    if every or interval.high < low or interval.low > high:
        return REFUTED
    return INCONCLUSIVE


def bounds(region: tuple[float | None, float | None]) -> tuple[float, float]:
    """`bounds` returns the region's ends, infinite where it has none."""
    low, high = region
    return -math.inf if low is None else low, math.inf if high is None else high


def region_in_words(region: tuple[float | None, float | None]) -> str:
    low, high = region
    if low is None:
        return f"≤ {high:g}"
    return f"≥ {low:g}" if high is None else f"in [{low:g}, {high:g}]"


def _estimate(part: "Part", tree: xr.DataTree) -> Sample:
    function = part.estimand.split(".")[1]
    estimand = getattr(import_module(part.module), function)
    try:
        sample = estimand(tree, **part.arguments)
        return sample.pooled(shared_data(tree, part.blocks_named(tree["trained"].children)))
    except KeyError as error:  # a block, variable or label that this config's grid does not have
        raise NotEstimable(f"not in the dataset: {str(error).strip(chr(39) + chr(34))}") from error


def _control(claim: "Claim", found: dict[str, Any] | None = None) -> dict[str, Any]:
    """`_control` returns a control as it was judged, or why there is none."""
    if found is None:
        return {"outcome": "none", "reason": claim.control.reason}
    verdict = found.pop("verdict")
    outcome = CONTROL_OUTCOMES.get(verdict, verdict)
    return found | {"statement": claim.control.statement, "outcome": outcome}


def _together(parts: list[dict[str, Any]], control: Mapping[str, Any]) -> tuple[str, str]:
    """All parts that are asked must be supported, and the control must not fail; one refuted part refutes.
    Without its control nothing is asked."""
    asked = [part for part in parts if part["verdict"] != NOT_ASKED]
    if not asked or control["outcome"] == NOT_ASKED:
        return NOT_ASKED, parts[0]["reason"] if not asked else f"its control: {control['reason']}"
    parts = asked
    reasons = list(dict.fromkeys(part["reason"] for part in parts if part["reason"]))
    for verdict in (REFUTED, INCONCLUSIVE):
        if guilty := [part["label"] for part in parts if part["verdict"] == verdict]:
            which = guilty[0] if len(guilty) == 1 else f"{len(guilty)} of {len(parts)} parts"
            return verdict, "; ".join([f"{verdict}: {which}"] * (len(parts) > 1) + reasons)
    if control["outcome"] in ("fails", INCONCLUSIVE):
        return INCONCLUSIVE, f"the control {_outcome_in_words(control)}"
    return SUPPORTED, "; ".join(reasons)


def _numbers(interval: Interval) -> dict[str, float | int | None]:
    """JSON knows neither NaN nor infinity."""
    numbers = interval._asdict()
    return {key: value if math.isfinite(value) else None for key, value in numbers.items()}


def _why_inconclusive(interval: Interval) -> str:
    if math.isnan(interval.low) or math.isnan(interval.high):
        return "the interval is not defined"
    return "the interval reaches over the region's edge"


def _outcome_in_words(control: Mapping[str, Any]) -> str:
    return "failed" if control["outcome"] == "fails" else f"is inconclusive ({control['reason']})"
