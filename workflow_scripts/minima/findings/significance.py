"""What many verdicts at once are worth: p-values, Holm's correction, and the n that a pilot asks for.

A p-value here is the level at which a verdict would just be lost: with p = 0.01 the 99 % interval touches the
region's edge. Parts about every unit, and refuted counts, say what these units do, exactly, and have none.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import bdtr, nctdtr, stdtr, stdtrit

from minima.findings.stats import Interval, standard_error
from minima.findings.words import INCONCLUSIVE, NOT_ASKED, REFUTED, p_value

if TYPE_CHECKING:
    from minima.plan.register import Pilot

LEVEL = 0.05
POWER = 0.8
MOST_UNITS = 1000

Bounds = tuple[float, float]


def p_inside(interval: Interval, bounds: Bounds) -> float:
    """`p_inside` returns twice the greater p of two one-sided t tests, one for each edge of the region: at
    most 0.05 where the 95 % interval lies inside."""
    low, high = bounds
    rooms = interval.estimate - low, high - interval.estimate
    return min(1.0, 2 * max(_beyond(interval, room) for room in rooms))


def p_outside(interval: Interval, bounds: Bounds) -> float:
    """`p_outside` returns twice the p of the one-sided t test that the mean lies in the region after all:
    at most 0.05 where the 95 % interval lies outside."""
    low, high = bounds
    return min(1.0, 2 * _beyond(interval, max(low - interval.estimate, interval.estimate - high)))


def p_count(inside: int, n: int) -> float:
    """`p_count` returns the chance that at least so many of n units lie inside where each does with chance
    one half."""
    return float(bdtr(n - inside, n, 0.5))


def holm(values: Sequence[float]) -> list[float]:
    """`holm` returns Holm's adjusted p-values: the chance to err in any verdict stays below a level where
    those at most as large as the level are kept."""
    adjusted, largest = [0.0] * len(values), 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = largest
    return adjusted


def of_parts(verdict: str, parts: Sequence[dict[str, Any]]) -> float | None:
    """`of_parts` returns the p-value of a verdict on several parts, None where it is exact.

    Supported: each part is needed, so that it is the greatest p of its parts. Refuted: one part is enough,
    so that it is the least, times the number of parts (Bonferroni); exact where an exact part refutes.
    Inconclusive: as supported, for the statement was tested all the same.
    """
    guilty = [part for part in parts if part["verdict"] == REFUTED]
    if verdict == REFUTED:
        if any(part["p"] is None for part in guilty):
            return None
        return min(1.0, len(parts) * min(part["p"] for part in guilty))
    known = [part["p"] for part in parts if part["p"] is not None]
    return max(known) if known else None


def corrected(verdicts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """`corrected` returns the verdicts with p, p after Holm's correction over all statements of this run, and
    whether each survives it; one that is refuted by a t interval and does not survive is inconclusive.

    Statements are the claims, and ours beside the published ones. A statement without a p-value is exact,
    and no test.
    """
    found = [dict(verdict) for verdict in verdicts]
    places = [(claim, "") for claim in found]
    places += [(claim, "_ours") for claim in found if claim["source"] != "ours" and claim["verdict_ours"]]
    tested = []
    for claim, suffix in places:
        source = "ours" if suffix else claim["source"]
        asked = [p for p in claim["parts"] if p["source"] == source and p["verdict"] != NOT_ASKED]
        verdict = claim[f"verdict{suffix}"]
        claim[f"p{suffix}"] = p = None if verdict == NOT_ASKED else of_parts(verdict, asked)
        claim[f"p_holm{suffix}"] = claim[f"survives{suffix}"] = None
        if p is not None:
            tested.append((claim, suffix))
    adjusted = holm([claim[f"p{suffix}"] for claim, suffix in tested])
    for (claim, suffix), p in zip(tested, adjusted, strict=True):
        claim[f"p_holm{suffix}"] = p
        verdict = claim[f"verdict{suffix}"]
        claim[f"survives{suffix}"] = p <= LEVEL if verdict != INCONCLUSIVE else None
        if verdict == REFUTED and p > LEVEL:
            why = f"refuted at 95 %, but {p_value(p)} after Holm's correction over {len(tested)} statements"
            claim[f"verdict{suffix}"] = INCONCLUSIVE
            claim[f"reason{suffix}"] = "; ".join(filter(None, [why, claim[f"reason{suffix}"]]))
            claim[f"survives{suffix}"] = None
    for claim in found:
        if claim["source"] == "ours":
            claim["verdict_ours"] = claim["verdict"]
    return found


def units_needed(pilot: "Pilot", bounds: Bounds) -> int | None:
    """`units_needed` returns the least n with which the 95 % interval of n units like the pilot's lies
    inside the nearest edge of the region with a chance of 80 % or more; None where the pilot's mean lies
    outside.

    With δ = d√n/s, d from the mean to the edge, that chance is P(T > t₀.₉₇₅), T noncentral t with n − 1
    degrees of freedom and noncentrality δ.
    """
    room = min(pilot.mean - bounds[0], bounds[1] - pilot.mean)
    if room <= 0:
        return None
    n = np.arange(2, MOST_UNITS + 1)
    if pilot.sd == 0 or math.isinf(room):
        return 2
    missed = nctdtr(n - 1, np.minimum(room * np.sqrt(n) / pilot.sd, 30), stdtrit(n - 1, 1 - LEVEL / 2))
    enough = 1 - missed >= POWER
    return int(n[enough][0]) if enough.any() else MOST_UNITS


def _beyond(interval: Interval, room: float) -> float:
    """One-sided p of the t test that the mean is at least `room` away on this side."""
    error = standard_error(interval)
    if interval.n < 2 or not math.isfinite(error):
        return 1.0
    if error == 0:
        return 0.0 if room >= 0 else 1.0
    return float(stdtr(interval.n - 1, -room / error))
