"""How verdicts and pictures of a run become what README.md and docs/ show."""

import json
import re
from typing import Any

import pytest
from PIL import Image

from minima.findings.forest import drawn
from minima.findings.showcase import (
    ROOT,
    SHOWN,
    WRITTEN,
    copy_comparison,
    copy_results,
    default_plan,
    differing,
    filled,
    forest_picture,
    nulls,
    pages,
    picture,
    read_comparison,
    shrink,
    studies,
    table,
)


def part(label: str, verdict: str, estimate: float | None = 1.0) -> dict[str, Any]:
    low, high = (None, None) if estimate is None else (estimate - 0.5, estimate + 0.5)
    numbers = {"estimate": estimate, "low": low, "high": high, "n": 10, "region": "≥ -2"}
    return {"label": label, "verdict": verdict, "source": "published", "interval": "t", **numbers}


def verdict(id: str, outcome: str, *parts: dict[str, Any], headline: bool = False) -> dict[str, Any]:
    return {
        "id": id,
        "statement": f"{id} | holds.",
        "published": "6.02",
        "parts": list(parts),
        "verdict": outcome,
        "reason": f"{outcome}: one of two",
        "source": "published",
        "verdict_ours": None,
        "reason_ours": "",
        "p_holm": 0.02,
        "survives": True,
        "headline": headline,
    }


def test_a_study_names_the_papers_whose_claims_it_tests_or_is_ours():
    plan = default_plan(ROOT)
    found = {study: verdict("a-1", "supported") | {"study": study, "paper": ""} for study in plan.studies[:3]}
    found[plan.studies[0]]["paper"] = "2011.02408"
    found[plan.studies[2]]["paper"] = "A Journal 2023"
    _, _, first, second, third, *_ = studies(plan, list(found.values())).splitlines()
    assert "| [2011.02408](https://arxiv.org/abs/2011.02408) |" in first
    assert "| ours |" in second
    assert "| A Journal 2023 |" in third


def test_claims_without_a_control_are_folded_where_they_are_supported():
    yes, no = part("yes", "supported"), part("no", "refuted", -3.0)
    found = table(
        [
            verdict("a-1", "supported", yes, headline=True),
            verdict("a-2", "supported", yes),
            verdict("a-3", "refuted", yes, no),
            verdict("a-4", "inconclusive", part("none", "inconclusive", None)),
        ]
    )
    first, folded = found.split("<details>")
    assert "**4 claims were tested: 4 published, with a statement of ours beside 0 of them" in first
    assert "2 supported, 1 refuted, 1 inconclusive.**" in first
    assert re.findall(r"\[(a-\d)\]", first) == ["a-1", "a-3", "a-4"]
    assert re.findall(r"\[(a-\d)\]", folded) == ["a-2"]
    assert (
        r"| a-3 \| holds. | 6.02 | **−3.00** [−3.50, −2.50] 95 % t<br>no, ≥ −2; one of 2 parts | 10 | "
        "**refuted** | yes, p = 0.02 |"
    ) in first
    assert r"| a-4 \| holds. | 6.02 | **–**<br>none, ≥ −2 | 10 | inconclusive | – |" in first
    assert "**–**<br>none" in first


def test_claims_that_are_not_supported_are_listed_with_the_reason():
    """Of a refuted one, what was found of the parts that refute it."""
    found = nulls([verdict("a-1", "supported"), verdict("a-2", "inconclusive")])
    assert found == "- a-2 is inconclusive: a-2 | holds. Why: one of two."
    assert nulls([verdict("a-1", "supported")]) == "Every claim is supported."
    yes, no = part("yes", "supported"), part("no", "refuted", -3.0)
    caveat = part("the caveat", "refuted", -4.0) | {"source": "ours"}
    (refuted,) = nulls([verdict("a-3", "refuted", yes, no, caveat)]).splitlines()
    assert refuted.endswith("Why: no, −3.00 [−3.50, −2.50] 95 % t, not ≥ −2.")
    ours = verdict("a-1", "supported", yes, caveat) | {"verdict_ours": "refuted"}
    (beside,) = nulls([ours]).splitlines()
    assert (
        beside
        == "- What is ours beside a-1 is refuted. Why: the caveat, −4.00 [−4.50, −3.50] 95 % t, not ≥ −2."
    )


def compared(**verdicts: list[str]) -> dict[str, Any]:
    """What `reach.compare` says of claims on the registered data and on others, without numbers."""
    names = ["", "other", "third"]
    claims = [
        {
            "id": id.replace("_", "-"),
            "study": "init_size",
            "headline": True,
            "on": {name: {"verdict": verdict} for name, verdict in zip(names, found, strict=True)},
        }
        for id, found in verdicts.items()
    ]
    return {"data_sets": [{"name": name, "title": name} for name in names], "claims": claims}


COMPARED = compared(
    a_1=["supported", "supported", "supported"],
    a_2=["supported", "refuted", "supported"],
    a_3=["supported", "not asked", "not asked"],
    a_4=["inconclusive", "supported", "not asked"],
)


def test_reach_stands_beside_every_verdict_and_every_count():
    """Of claims asked elsewhere: on how many of the data sets of which they were asked they hold."""
    verdicts = [verdict(f"a-{i}", "supported", part("yes", "supported"), headline=True) for i in range(1, 5)]
    found = table(verdicts, COMPARED)
    assert re.findall(r"\[(\d of \d)\]\(replications.md#(a-\d)\)", found) == [
        ("3 of 3", "a-1"),
        ("2 of 3", "a-2"),
        ("1 of 2", "a-4"),
    ]
    assert (
        "Of the 3 claims that are supported on the data for which they were registered, 2 were asked" in found
    )
    counted = studies(default_plan(ROOT), [], COMPARED).splitlines()[2:]
    assert [line.rsplit(" | ", 1)[1] for line in counted[:2]] == ["2 asked, 1 holds on all |", "none asked |"]


def test_a_comparison_of_other_verdicts_is_refused(tmp_path):
    """Its first data set is that of the verdicts beside it; where there is none, what was copied stays."""
    plan = default_plan(ROOT)
    claims = [{"id": f"a-{i}", "verdict": "supported"} for i in (1, 2, 3)]
    claims.append({"id": "a-4", "verdict": "inconclusive"})
    assert differing(COMPARED, claims) == []
    assert differing(read_comparison(tmp_path), claims) == []
    copy_comparison(plan, tmp_path, claims)
    assert not (tmp_path / "docs").exists()
    (tmp_path / "results").mkdir()
    (tmp_path / plan.paths.comparison["json"]).write_text(json.dumps(COMPARED))
    with pytest.raises(SystemExit, match=r"other verdicts than results/claims.json \(a-1, a-4\)"):
        copy_comparison(plan, tmp_path, [{"id": "a-1", "verdict": "refuted"}, *claims[1:3]])
    assert not (tmp_path / "docs").exists()


def test_what_is_shown_of_other_data_is_beside_the_verdicts_shown():
    """After a change of the default run: `snakemake replications`, then `make verdicts`."""
    shown = json.loads((ROOT / SHOWN).read_text(encoding="utf-8"))
    assert differing(read_comparison(ROOT), shown["claims"]) == []


def test_a_page_without_its_comments_is_refused():
    begin, end = "<!-- verdicts: written by `make verdicts` -->", "<!-- end of verdicts -->"
    assert filled(f"a{begin}old{end}b", {"verdicts": "new"}) == f"a{begin}\n\nnew\n\n{end}b"
    for page in ("", begin, end):
        with pytest.raises(ValueError, match="no place for verdicts"):
            filled(page, {"verdicts": "new"})


def test_results_of_another_config_are_refused_and_nothing_is_written(tmp_path):
    plan = default_plan(ROOT)
    (tmp_path / "results").mkdir()
    (tmp_path / plan.paths.claims).write_text("[]")
    (tmp_path / plan.paths.provenance).write_text('{"config_digest": "another"}')
    with pytest.raises(SystemExit, match="not of the default config"):
        copy_results(plan, tmp_path)
    assert not (tmp_path / "docs").exists()


def test_a_picture_is_made_small_and_keeps_its_shape(tmp_path):
    Image.effect_noise((2000, 1000), 40).convert("RGB").save(tmp_path / "large.png")
    shrink(tmp_path / "large.png", tmp_path / "small" / "a.png")
    with Image.open(tmp_path / "small" / "a.png") as small:
        assert (small.size, small.mode) == ((1000, 500), "P")


def test_what_is_shown_is_of_the_config_as_it_is():
    """After a change of a study, its data or a claim: `make verdicts`. Every page says what the file says,
    and every figure of the config has its picture."""
    shown, plan = json.loads((ROOT / SHOWN).read_text(encoding="utf-8")), default_plan(ROOT)
    assert shown["config_digest"] == plan.config_digest, "docs/verdicts.json is of another config"
    written = {path: (ROOT / path).read_text(encoding="utf-8") for path in WRITTEN}
    for path, page in pages(shown, read_comparison(ROOT), plan, written).items():
        assert (ROOT / path).read_text(encoding="utf-8") == page, path
    pictures = [picture(study, name) for study, name in plan.figures]
    pictures += map(forest_picture, drawn(read_comparison(ROOT)))
    wanted = {ROOT / SHOWN.parent / name for name in pictures}
    assert set((ROOT / SHOWN.parent / "figures").glob("*.png")) == wanted
