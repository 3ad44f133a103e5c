"""The same claims on several data sets: how far each verdict reaches.

Each data set has verdicts of its own, by the same register; here they stand side by side. What was not asked
of a data set counts nowhere, and says why.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from minima.findings.random_effects import random_effects
from minima.findings.stats import Interval, standard_error
from minima.findings.words import (
    INCONCLUSIVE,
    NOT_ASKED,
    REFUTED,
    SUPPORTED,
    VERDICTS,
)

Verdicts = Sequence[Mapping[str, Any]]
OF_A_CLAIM = ("id", "study", "statement", "source", "headline")
OF_ITS_PART = ("label", "region", "bounds", "interval", "comparable")
FOUND = ("estimate", "low", "high", "n", "inside", "share")
NOWHERE = {"verdict": NOT_ASKED, "reason": "its study is not run there"}
NAMED = 4  # of the data sets where a claim fails
SAID = {SUPPORTED: "holds", REFUTED: "fails", INCONCLUSIVE: "open"}


def compare(found: Mapping[str, tuple[str, Verdicts]]) -> dict[str, Any]:
    """`compare` returns the table claim × data set as plain values: name → title and verdicts of each data
    set; the first is the one of the run as registered."""
    by_id = {name: {claim["id"]: claim for claim in verdicts} for name, (_, verdicts) in found.items()}
    ids = dict.fromkeys(id for claims in by_id.values() for id in claims)
    titles = {name: title for name, (title, _) in found.items()}
    return {
        "data_sets": [
            {"name": name, "title": title, "verdicts": _counted(by_id[name].values())}
            for name, title in titles.items()
        ],
        "claims": [_across(id, by_id, titles) for id in ids],
    }


def _counted(claims: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    found = Counter(claim["verdict"] for claim in claims)
    return {verdict: found[verdict] for verdict in VERDICTS}


def _across(
    id: str, by_id: Mapping[str, Mapping[str, Mapping[str, Any]]], titles: Mapping[str, str]
) -> dict[str, Any]:
    """One claim on all data sets. What it says is the same on all, for the register is."""
    said = next(claims[id] for claims in by_id.values() if id in claims)
    deciding = {name: _deciding(claims[id]) for name, claims in by_id.items() if id in claims}
    shown = _shown(deciding.values())
    on = {
        name: _on(by_id[name][id], deciding[name], shown) if name in deciding else dict(NOWHERE)
        for name in titles
    }
    part = _deciding(said)[shown]
    return {
        **{key: said[key] for key in OF_A_CLAIM},
        **{key: part[key] for key in OF_ITS_PART},
        "on": on,
        "reach": reach(on, titles),
        "summary": _summary(on.values()) if part["comparable"] else None,
    }


def _deciding(claim: Mapping[str, Any]) -> Verdicts:
    return [part for part in claim["parts"] if part["source"] == claim["source"]]


def _shown(deciding: Iterable[Verdicts]) -> int:
    """Which of a claim's deciding parts has its number shown: the one that is asked of most data sets, the
    first of several."""
    asked = [[part["verdict"] != NOT_ASKED for part in parts] for parts in deciding]
    counts = [sum(column) for column in zip(*asked, strict=True)]
    return counts.index(max(counts))


def _on(claim: Mapping[str, Any], deciding: Verdicts, shown: int) -> dict[str, Any]:
    """A claim's verdict on one data set, and the number of the part that is shown."""
    if claim["verdict"] == NOT_ASKED:
        return {"verdict": NOT_ASKED, "reason": claim["reason"]}
    part = deciding[shown]
    return {
        "verdict": claim["verdict"],
        "reason": claim["reason"],
        "control": claim["control"]["outcome"],
        "by": _decided_by(claim, part, deciding),
        "parts": len(deciding),
        "parts_asked": sum(part["verdict"] != NOT_ASKED for part in deciding),
        **{key: part[key] for key in FOUND if key in part},
    }


def _decided_by(claim: Mapping[str, Any], shown: Mapping[str, Any], deciding: Verdicts) -> str:
    """What a verdict rests on where it is not that of the part that is shown."""
    if claim["verdict"] == shown["verdict"]:
        return ""
    if any(part["verdict"] == claim["verdict"] for part in deciding):
        return "another part"
    return "control" if all(part["verdict"] in (SUPPORTED, NOT_ASKED) for part in deciding) else "Holm"


def reach(on: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    """`reach` returns on which of the data sets of which it was asked a claim holds, fails and is open."""
    asked = {name: found for name, found in on.items() if found["verdict"] != NOT_ASKED}
    if not asked:
        return NOT_ASKED
    if list(asked) == list(on)[:1]:
        return "not asked elsewhere"
    where = {v: [titles[name] for name in asked if asked[name]["verdict"] == v] for v in VERDICTS}
    only = next((verdict for verdict in VERDICTS if len(where[verdict]) == len(asked)), None)
    if only:
        number = {1: where[only][0], 2: "both"}.get(len(asked), f"all {len(asked)}")
        words = f"{SAID[only]} on {number}"
    else:
        words = f"holds on {len(where[SUPPORTED]) or 'none'} of {len(asked)}"
        words += "".join(f"; {SAID[v]} on {_named(where[v])}" for v in (REFUTED, INCONCLUSIVE) if where[v])
    fewer = sum(found["parts_asked"] < found["parts"] for found in asked.values())
    return words + (f" (on {fewer} not all parts asked)" if fewer else "")


def elsewhere(claims: Sequence[Mapping[str, Any]], data_sets: Sequence[Mapping[str, Any]]) -> list[int]:
    """`elsewhere` returns how many claims are supported on the first data set, how many of these were asked
    of another, and how many of these hold on every one that was."""
    first = data_sets[0]["name"] if data_sets else None
    supported = [claim for claim in claims if claim["on"][first]["verdict"] == SUPPORTED]
    verdicts = [
        [on["verdict"] for on in claim["on"].values() if on["verdict"] != NOT_ASKED] for claim in supported
    ]
    asked = [found for found in verdicts if len(found) > 1]
    return [len(supported), len(asked), sum(set(found) == {SUPPORTED} for found in asked)]


def _named(titles: Sequence[str]) -> str:
    """The titles, of many the first and how many more."""
    shown = titles if len(titles) <= NAMED else titles[: NAMED - 1]
    more = len(titles) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _summary(on: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The random-effects mean of the part that is shown over the data sets that have an interval of it."""
    known = [found for found in on if found.get("low") is not None and found.get("high") is not None]
    intervals = [Interval(*(found[key] for key in Interval._fields)) for found in known]
    found = random_effects([i.estimate for i in intervals], [*map(standard_error, intervals)])
    return found._asdict() if found else None
