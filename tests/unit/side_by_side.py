"""Verdicts on several data sets as runs would give them; all made up."""

from typing import Any

from minima.findings.reach import compare

TITLES = {"first": "digits 3 and 8", "second": "digits 4 and 9", "third": "wine", "fourth": "a sphere"}
NUMBERS = {"supported": (1.0, 0.9, 1.1), "refuted": (2.0, 1.8, 2.2), "inconclusive": (1.3, 1.0, 1.6)}


def part(verdict: str, label: str = "the ratio", source: str = "ours", **changes: Any) -> dict[str, Any]:
    """A number that lies as the verdict says."""
    estimate, low, high = NUMBERS.get(verdict, (None, None, None))
    n = 0 if verdict == "not asked" else 5
    numbers = {"estimate": estimate, "low": low, "high": high, "n": n}
    words = {"label": label, "source": source, "interval": "t", "region": "in [0.8, 1.2]", "reason": ""}
    return words | numbers | {"bounds": [0.8, 1.2], "comparable": False, "verdict": verdict} | changes


def claim(id: str, verdict: str, *parts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A claim as `judge` writes it; its verdict is that of its only part where no other is given."""
    parts = parts or (part(verdict),)
    shown = {key: value for key, value in parts[0].items() if key not in ("verdict", "source", "reason")}
    return {
        "id": id,
        "study": id.split("-")[0],
        "paper": "",
        "statement": f"{id} holds.",
        "source": "ours",
        "published": "",
        "verdict": verdict,
        "reason": "",
        "verdict_ours": verdict,
        "reason_ours": "",
        "p_holm": None,
        "survives": None,
        "parts": list(parts),
        "control": {"outcome": "holds"},
        "headline": True,
        **shown,
    } | changes


def not_asked(id: str, reason: str = "no images") -> dict[str, Any]:
    return claim(id, "not asked", reason=reason, control={"outcome": "not asked"})


def verdicts(*found: str) -> list[dict[str, Any]]:
    """toy-1 and so on."""
    return [claim(f"toy-{i}", verdict) for i, verdict in enumerate(found, 1)]


def side_by_side(*verdicts: list[dict[str, Any]]) -> dict[str, Any]:
    """What is compared of the verdicts on as many data sets."""
    return compare({name: (TITLES[name], found) for name, found in zip(TITLES, verdicts, strict=False)})
