"""Verdicts: each claim of the register, estimated on its study's dataset and held against its region.

Supported: the interval lies inside the region; refuted: it lies outside; else inconclusive. A claim of
several parts needs all of those that the paper says, or all where it says none, and one with a control also
the control: an estimator that finds the effect where it must be absent proves nothing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import xarray as xr

from minima.findings.files import write_json, write_text
from minima.findings.samples import shared_data
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
from minima.plan.register import Claim, Control, Part

SUPPORTED, REFUTED, INCONCLUSIVE = "supported", "refuted", "inconclusive"
ESTIMATORS = {"t": student, "bootstrap": bootstrap_interval, "every": extent, "count": extent}
INTERVALS = {
    "t": "95 % t",
    "bootstrap": "95 % BCa",
    "every": "least to greatest",
    "count": "k of n, Clopper–Pearson",
}
HEADLINE = ("estimand", "function", "interval", "estimate", "low", "high", "n", "region")
CONTROL_OUTCOMES = {SUPPORTED: "holds", REFUTED: "fails", INCONCLUSIVE: INCONCLUSIVE}


def judge_all(
    claims: Sequence[Claim], datasets: Mapping[str, Path], json_path: Path, page_path: Path
) -> None:
    """Writes the verdicts for machines and for people; `datasets` maps a study to its file."""
    trees = {study: xr.open_datatree(path, engine="netcdf4") for study, path in datasets.items()}
    verdicts = [judge(claim, trees[claim.study]) for claim in claims]
    write_text(as_markdown(verdicts), page_path)
    write_json(verdicts, json_path)


def judge(claim: Claim, tree: xr.DataTree) -> dict[str, Any]:
    """The claim and its verdict as plain values: the verdict of its published parts, and beside it that of
    ours; of a claim that is wholly ours there is one."""
    parts = [judge_part(part, tree) for part in claim.parts]
    control = _judge_control(claim, tree)
    deciding = [part for part in parts if part["source"] == claim.source]
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
        **{key: deciding[0][key] for key in HEADLINE},
        "verdict": verdict,
        "reason": reason,
        "verdict_ours": verdict_ours,
        "reason_ours": reason_ours,
        "parts": parts,
        "control": control,
        "figures": claim.figures,
        "headline": isinstance(claim.control, Control),
    }


def judge_part(part: Part, tree: xr.DataTree) -> dict[str, Any]:
    """One number against its region."""
    found = {
        "label": part.label,
        "source": part.source,
        "function": part.estimand,
        "estimand": f"{part.label} ({INTERVALS[part.interval]})",
        "interval": part.interval,
        "region": region_in_words(part.region),
    }
    try:
        sample = _estimate(part, tree)
    except NotEstimable as error:
        return (
            found | _numbers(Interval(math.nan, math.nan, math.nan, 0)) | _verdict(INCONCLUSIVE, str(error))
        )
    interval = ESTIMATORS[part.interval](sample)
    found |= _numbers(interval)
    if part.at_least is not None:
        verdict, reason, counted = _count(part, sample)
        return found | counted | _verdict(verdict, "; ".join(filter(None, [reason, sample.note])))
    if interval.n < part.replicates:
        reason = f"{interval.n} units where {part.replicates} are needed"
        return found | _verdict(INCONCLUSIVE, "; ".join(filter(None, [reason, sample.note])))
    verdict = place(interval, part.region, every=part.interval == "every")
    reasons = [_why_inconclusive(interval)] if verdict == INCONCLUSIVE else []
    return found | _verdict(verdict, "; ".join(filter(None, [*reasons, sample.note])))


def _count(part: Part, sample: Sample) -> tuple[str, str, dict[str, Any]]:
    """Verdict, reason and count of a claim about `at_least` of `replicates` units. A unit that was left out
    is not known to lie inside: it can keep a claim from being supported, and alone never refutes one."""
    n = len(sample.units)
    inside = units_inside(sample, *bounds(part.region))
    of = max(n, part.replicates)
    needed = of * part.at_least / part.replicates
    counted = {"inside": inside, "at_least": part.at_least, "share": clopper_pearson(inside, n)}
    if inside >= needed:
        return SUPPORTED, "", counted
    if n - inside > of - needed:
        return REFUTED, "", counted
    return INCONCLUSIVE, f"{n} units where {part.replicates} are needed", counted


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


def as_markdown(verdicts: Iterable[Mapping[str, Any]]) -> str:
    """The verdicts as a page for people: a row per claim, then one for each of its parts."""
    verdicts = list(verdicts)
    lines = [
        "# Verdicts",
        "",
        f"{len(verdicts)} claims were tested.",
        "",
        "| claim | statement | estimate [95 % interval] | n | region | verdict | control |",
        "|---|---|---|---|---|---|---|",
    ]
    for verdict in verdicts:
        control = _control_in_words(verdict["control"])
        name = f'<a id="{verdict["id"]}"></a>{verdict["id"]}'
        published = f"published: {verdict['published']}" if verdict["published"] else ""
        lines.append(row(name, verdict["statement"], published, "", "", f"**{verdict['verdict']}**", control))
        for part in verdict["parts"]:
            n = str(part["n"])
            lines.append(
                row("", part["label"], number_in_words(part), n, part["region"], part["verdict"], "")
            )
        if verdict["reason"]:
            lines.append(row("", verdict["reason"], "", "", "", "", ""))
    return "\n".join(lines) + "\n"


def row(*cells: str) -> str:
    escaped = [cell.replace("|", r"\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


def number_in_words(part: Mapping[str, Any]) -> str:
    if part["estimate"] is None:
        return "–"
    if part["low"] is None:
        return f"{part['estimate']:.3g}"
    return f"{part['estimate']:.3g} [{part['low']:.3g}, {part['high']:.3g}]"


def _estimate(part: Part, tree: xr.DataTree) -> Sample:
    module, function = part.estimand.split(".")
    estimand = getattr(import_module(f"minima.findings.estimands.{module}"), function)
    try:
        sample = estimand(tree, **part.arguments)
        blocks = [name for name in part.arguments.values() if isinstance(name, str)]
        return sample.pooled(shared_data(tree, blocks))
    except KeyError as error:  # a block, variable or label that this config's grid does not have
        raise NotEstimable(f"not in the dataset: {str(error).strip(chr(39) + chr(34))}") from error


def _judge_control(claim: Claim, tree: xr.DataTree) -> dict[str, Any]:
    if not isinstance(claim.control, Control):
        return {"outcome": "none", "reason": claim.control.reason}
    found = judge_part(claim.control, tree)
    outcome = CONTROL_OUTCOMES[found.pop("verdict")]
    return found | {"statement": claim.control.statement, "outcome": outcome}


def _together(parts: list[dict[str, Any]], control: Mapping[str, Any]) -> tuple[str, str]:
    """All parts must be supported, and the control must not fail; one refuted part refutes."""
    reasons = list(dict.fromkeys(part["reason"] for part in parts if part["reason"]))
    for verdict in (REFUTED, INCONCLUSIVE):
        if guilty := [part["label"] for part in parts if part["verdict"] == verdict]:
            which = guilty[0] if len(guilty) == 1 else f"{len(guilty)} of {len(parts)} parts"
            return verdict, "; ".join([f"{verdict}: {which}"] * (len(parts) > 1) + reasons)
    if control["outcome"] in ("fails", INCONCLUSIVE):
        return INCONCLUSIVE, f"the control {_outcome_in_words(control)}"
    return SUPPORTED, "; ".join(reasons)


def _verdict(verdict: str, reason: str = "") -> dict[str, str]:
    return {"verdict": verdict, "reason": reason}


def _numbers(interval: Interval) -> dict[str, float | int | None]:
    """JSON knows neither NaN nor infinity."""
    numbers = interval._asdict()
    return {key: value if math.isfinite(value) else None for key, value in numbers.items()}


def _why_inconclusive(interval: Interval) -> str:
    if math.isnan(interval.low) or math.isnan(interval.high):
        return "the interval is not defined"
    return "the interval reaches over the region's edge"


def _control_in_words(control: Mapping[str, Any]) -> str:
    if control["outcome"] == "none":
        return f"– ({control['reason']})"
    return f"{control['outcome']}: {control['statement']}, {number_in_words(control)}, {control['region']}"


def _outcome_in_words(control: Mapping[str, Any]) -> str:
    return "failed" if control["outcome"] == "fails" else f"is inconclusive ({control['reason']})"
