"""Verdicts in words: every page says numbers, intervals, verdicts and corrections by these functions."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

UNKNOWN = "–"
SUPPORTED, REFUTED, INCONCLUSIVE = VERDICTS = ("supported", "refuted", "inconclusive")
NOT_ASKED = "not asked"  # of this data: no verdict
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
READING = (
    "95 % t: Student's interval of the mean over units, or of a slope fitted per unit. Least to greatest: "
    "the part is about each of the n units, and exact. k of n: units that lie inside, with Clopper and "
    "Pearson's 95 % interval; the mean beside it is that of all units. Seeds of one data pool draw "
    "overlapping rows: intervals are about this data set. Holm: whether the verdict survives Holm's "
    "correction over all statements, and its p then; exact verdicts are no tests."
)


def is_known(value: float | None) -> bool:
    """`is_known` returns whether there is a number."""
    return value is not None and not math.isnan(value)


def number(value: float | None) -> str:
    """`number` returns three significant digits, a proper minus, and a power of ten where zeros would be
    counted."""
    if not is_known(value):
        return UNKNOWN
    if value == 0:
        return "0"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    digits, exponent = f"{value:.2e}".split("e")
    power = int(exponent)
    if -4 <= power < 5:
        text = f"{float(f'{value:.2e}'):.{max(0, 2 - power)}f}"
    else:
        text = f"{digits}\u00a0×\u00a010{str(power).translate(SUPERSCRIPTS)}"
    return text.replace("-", "−")


def interval(bounds: Mapping[str, Any]) -> str:
    """`interval` returns `[low, high]`, or nothing where neither is known."""
    low, high = bounds["low"], bounds["high"]
    return f"[{number(low)}, {number(high)}]" if is_known(low) or is_known(high) else ""


def minus(text: str) -> str:
    """`minus` returns the text with a minus before its numbers where it has a hyphen."""
    return re.sub(r"(?<!\w)-(?=[\d.∞])", "−", text)


def estimate(part: Mapping[str, Any]) -> tuple[str, str]:
    """`estimate` returns what was found, to be printed strong, and its interval by name."""
    if part["n"] == 0 or not is_known(part["estimate"]):
        return UNKNOWN, ""
    between = interval(part)
    if part["interval"] == "count":
        share = interval(dict(zip(("low", "high"), part["share"], strict=True)))
        return (
            f"{part['inside']} of {part['n']}",
            f"inside, {share} Clopper–Pearson; mean {number(part['estimate'])} {between}, least to greatest",
        )
    name = {
        "t": "95 % t",
        "bootstrap": "95 % BCa",
        "every": f"least to greatest of {part['n']}",
    }[part["interval"]]
    return number(part["estimate"]), f"{between} {name}" if between else ""


def units(part: Mapping[str, Any]) -> str:
    """`units` returns n, and the n that the pilot's spread asked for where a pilot is registered."""
    asked = part.get("n_asked")
    return f"{part['n']}" + (f" (pilot asks {asked})" if asked is not None else "")


def survival(claim: Mapping[str, Any], suffix: str = "") -> str:
    """`survival` returns whether a verdict survives the correction over all statements."""
    if claim[f"verdict{suffix}"] not in (SUPPORTED, REFUTED):
        return UNKNOWN
    if claim[f"p_holm{suffix}"] is None:
        return "exact"
    return f"{'yes' if claim[f'survives{suffix}'] else 'no'}, {p_value(claim[f'p_holm{suffix}'])}"


def beside(claim: Mapping[str, Any]) -> str:
    """`beside` returns the verdict of our own parts beside a published claim's, or nothing."""
    return claim["verdict_ours"] if claim["source"] == "published" and claim["verdict_ours"] else ""


def control(found: Mapping[str, Any]) -> str:
    """`control` returns a control's outcome with its number, or why there is none."""
    if found["outcome"] in ("none", NOT_ASKED):
        return f"{'–' if found['outcome'] == 'none' else NOT_ASKED} ({found['reason']})"
    words = " ".join(filter(None, estimate(found)))
    return f"{found['outcome']}: {found['statement']}, {words}, {minus(found['region'])}"


def as_markdown(verdicts: Iterable[Mapping[str, Any]]) -> str:
    """`as_markdown` returns the verdicts as a page for people: a row per claim, then one for each of its
    parts."""
    verdicts = list(verdicts)
    lines = ["# Verdicts", "", tested(verdicts), "", READING, ""]
    lines += [
        "| claim | statement | source | found | n | region | verdict | Holm | control |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for claim in verdicts:
        name = f'<a id="{claim["id"]}"></a>{claim["id"]}'
        published = f"published: {claim['published']}" if claim["published"] else ""
        verdict = f"**{claim['verdict']}**"
        said = control(claim["control"])
        source = claim["source"]
        lines.append(row(name, claim["statement"], source, published, "", "", verdict, survival(claim), said))
        for part in claim["parts"] if claim["verdict"] != NOT_ASKED else []:
            found = " ".join(filter(None, estimate(part)))
            region = minus(part["region"])
            lies = f"{NOT_ASKED}: {part['reason']}" if part["verdict"] == NOT_ASKED else part["verdict"]
            lines.append(row("", part["label"], part["source"], found, units(part), region, lies, "", ""))
        if claim["reason"]:
            lines.append(row("", claim["reason"], *[""] * 7))
        if ours := beside(claim):
            why = f"ours beside it{': ' if claim['reason_ours'] else ''}{claim['reason_ours']}"
            lines.append(row("", why, "ours", "", "", "", f"**{ours}**", survival(claim, "_ours"), ""))
    return "\n".join(lines) + "\n"


def tested(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """`tested` returns how many claims and statements were tested, and how many were not asked."""
    asked = [claim for claim in verdicts if claim["verdict"] != NOT_ASKED]
    published = sum(claim["source"] == "published" for claim in asked)
    also = sum(beside(claim) not in ("", NOT_ASKED) for claim in asked)
    others = len(verdicts) - len(asked)
    return (
        f"{len(asked)} claim{' was' if len(asked) == 1 else 's were'} tested: {published} published, "
        f"with a statement of ours beside {also} of them, and {len(asked) - published} of our own."
        + (f" {others} {'was' if others == 1 else 'were'} not asked of these data." if others else "")
    )


def row(*cells: str) -> str:
    """`row` returns a line of a table, bars within a cell escaped."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def p_value(p: float) -> str:
    """`p_value` returns `p = 0.03`, or that it is below what anyone asks."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def label(coordinate: Any) -> str:
    """`label` returns a coordinate as titles show it: 1, not 1.0."""
    return f"{coordinate:g}" if isinstance(coordinate, float) else str(coordinate)


def duration(seconds: float) -> str:
    """`duration` returns seconds as a person says them: 40 s, 12 min, 3.5 h, 4 days."""
    for size, unit, places in ((2 * 86400, " days", 0), (5400, " h", 1), (90, " min", 0)):
        if seconds >= size:
            return f"{seconds / {' days': 86400, ' h': 3600, ' min': 60}[unit]:.{places}f}{unit}"
    return f"{seconds:.0f} s"
