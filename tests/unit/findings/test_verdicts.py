"""Parts, regions and controls become a verdict, and verdicts a file and a page."""

import json
import math

import numpy as np
import pytest
from tests.unit.worlds import CLAIMS, CONTROLLED, REGISTER, World, changed, spoiled, verdict_of

from minima.findings.claims import (
    join_verdicts,
    judge,
    judge_part,
    judge_study,
    place,
    read_verdicts,
    region_in_words,
)
from minima.findings.significance import corrected
from minima.findings.stats import Interval
from minima.findings.words import as_markdown, estimate, minus, units
from minima.netcdf import tree_encoding, write_atomically
from minima.plan.register import Claim, Part

pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.usefixtures("few_resamples")]


def part(**changes):
    return Part.model_validate(
        {
            "label": "a number",
            "estimand": "init_size.increase",
            "arguments": {
                "block": "scale",
                "scales": [1, 3],
                "measure": "test_mse",
                "select": {"width": 256},
            },
            "region": [0, 100],
        }
        | changes
    )


NO = (math.nan, math.nan)


@pytest.mark.parametrize(
    ("low", "high", "region", "verdict", "every"),
    [
        (1, 2, (0, 3), "supported", "supported"),
        (1, 2, (1, 2), "supported", "supported"),
        (1, 1, (1, 2), "supported", "supported"),
        (1, 2, (3, 4), "refuted", "refuted"),
        (5, 6, (3, 4), "refuted", "refuted"),
        (1, 2, (2, 3), "inconclusive", "refuted"),
        (1, 2, (1.5, 3), "inconclusive", "refuted"),
        (2, 4, (1, 3), "inconclusive", "refuted"),
        (0, 9, (1, 3), "inconclusive", "refuted"),
        (1, 2, (None, 3), "supported", "supported"),
        (-1e300, 2, (None, 3), "supported", "supported"),
        (4, 5, (None, 3), "refuted", "refuted"),
        (2, 5, (None, 3), "inconclusive", "refuted"),
        (4, 5, (3, None), "supported", "supported"),
        (1, 2, (3, None), "refuted", "refuted"),
        (2, 5, (3, None), "inconclusive", "refuted"),
        (-math.inf, math.inf, (0, 1), "inconclusive", "refuted"),
        (math.inf, math.inf, (0, 1), "refuted", "refuted"),
        (*NO, (0, 1), "inconclusive", "inconclusive"),
        (0.5, math.nan, (0, 1), "inconclusive", "inconclusive"),
        (math.nan, 0.5, (None, 1), "inconclusive", "inconclusive"),
    ],
)
def test_where_an_interval_lies(low, high, region, verdict, every):
    """Inside supports, outside refutes, over the edge or unknown concludes nothing; a claim about every unit
    is refuted by one unit outside."""
    interval = Interval(1.0, low, high, 9)
    assert place(interval, region) == verdict
    assert place(interval, region, every=True) == every


@pytest.mark.parametrize(
    ("region", "words"),
    [((0, 1e-6), "in [0, 1e-06]"), ((None, 1.5), "≤ 1.5"), ((-0.15, None), "≥ -0.15"), ((1, 1), "in [1, 1]")],
)
def test_regions_in_words(region, words):
    assert region_in_words(region) == words


def test_an_interval_over_the_edge_says_so(true_world):
    """Enough seeds, an estimate and an interval, but no conclusion: the reader is told why."""
    mse = judge_part(part(), true_world)
    assert mse["verdict"] == "supported"
    edge = (mse["estimate"] + mse["high"]) / 2
    found = judge_part(part(region=[0, edge]), true_world)
    assert (found["verdict"], found["reason"]) == (
        "inconclusive",
        "the interval reaches over the region's edge",
    )


def test_a_number_that_does_not_exist_says_why(true_world):
    """The curve crosses its level for one seed only: unknown, without a NaN, and with the reason."""
    block = true_world["trained/crossing"].to_dataset().copy(deep=True)
    block.test_mse[{"seed": slice(1, None)}] = 0.1
    found = verdict_of("init-5", changed(true_world, "trained/crossing", block))
    assert found["verdict"] == "inconclusive"
    assert found["low"] is None
    assert "does not rise" in found["reason"]


def test_infinite_numbers_are_no_json(true_world):
    """An estimate that overflows is told as unknown, and the file of verdicts is still written."""
    block = true_world["trained/scale"].to_dataset().copy(deep=True)
    block.test_mse[{"seed": 0, "scale": -1}] = np.inf
    tree = changed(true_world, "trained/scale", block)
    found = judge_part(part(interval="every"), tree)
    json.dumps(found, allow_nan=False)
    assert (found["estimate"], found["high"], found["verdict"]) == (None, None, "refuted")


@pytest.mark.parametrize("interval", ["t", "bootstrap", "every", "count"])
def test_the_interval_asked_for_is_the_one_given(interval, true_world):
    """t, bootstrap and every disagree; the page says which it was."""
    more = {"bootstrap": {"replicates": 20}, "count": {"at_least": 4}}.get(interval, {})
    found = judge_part(part(interval=interval, **more), true_world)
    mse = true_world["trained/scale"].ds.test_mse.sel(width=256)
    units = (mse.sel(scale=3) - mse.sel(scale=1)).values
    words = {"t": "95 % t", "bootstrap": "95 % BCa", "every": "least to greatest of 10", "count": "Clopper"}
    assert words[interval] in estimate(found)[1]
    assert ("95 %" in estimate(found)[1]) == (interval in ("t", "bootstrap"))
    assert found["interval"] == interval
    assert found["estimate"] == pytest.approx(units.mean())
    if interval in ("every", "count"):
        assert (found["low"], found["high"]) == pytest.approx((units.min(), units.max()))
    else:
        assert units.min() < found["low"] < found["high"] < units.max()


@pytest.mark.parametrize(
    ("lost", "inside", "at_least", "verdict"),
    [
        (0, 10, 9, "supported"),
        (0, 9, 9, "supported"),
        (0, 8, 9, "refuted"),
        (0, 8, 8, "supported"),
        (1, 9, 9, "supported"),
        (1, 8, 9, "inconclusive"),
        (2, 8, 9, "inconclusive"),
        (2, 6, 9, "refuted"),
    ],
)
def test_a_count_leaves_out_no_unit(lost, inside, at_least, verdict, true_world):
    """k of n: the estimate is of all units, those inside are counted, and a seed without a value is neither
    inside nor outside."""
    block = true_world["trained/scale"].to_dataset().copy(deep=True)
    block.test_mse[:] = 0.0
    block.test_mse[{"scale": -1}] = np.where(np.arange(10) < inside, 1.0, 9.0)
    block.status[{"seed": slice(10 - lost, None)}] = "diverged"
    found = judge_part(
        part(interval="count", at_least=at_least, replicates=10, region=[None, 2]),
        changed(true_world, "trained/scale", block),
    )
    n = 10 - lost
    assert (found["verdict"], found["inside"], found["n"]) == (verdict, inside, n)
    assert found["estimate"] == pytest.approx((inside + 9 * (n - inside)) / n)
    assert found["share"][0] < inside / n <= found["share"][1]
    assert ("left out" in found["reason"]) == (lost > 0)


def test_seeds_of_one_data_set_are_one_unit_to_every_claim(true_world):
    """Two networks on each data set make five units of ten seeds, whatever the estimand does to its sample: n
    is that of the data sets, or too small an interval would pass for certainty."""
    tree = true_world
    for path in [node.path[1:] for node in true_world["trained"].children.values()]:
        node = true_world[path].to_dataset()
        tree = changed(tree, path, node.assign_coords(split=("seed", np.arange(node.sizes["seed"]) // 2)))
    for claim in REGISTER.values():
        for asked in claim.asked:
            alone, shared = judge_part(asked, true_world), judge_part(asked, tree)
            assert shared["n"] == (alone["n"] + 1) // 2, asked.label
            assert shared["estimate"] == pytest.approx(alone["estimate"], rel=0.2)


def test_published_parts_decide_and_ours_stand_beside(true_world):
    """A part of ours can neither support nor refute what the paper says; a claim without a published part is
    ours as a whole."""

    def verdicts(*sources_and_regions):
        parts = [
            part(label=f"part {i}", source=source, region=region)
            for i, (source, region) in enumerate(sources_and_regions)
        ]
        found = judge(REGISTER["init-4"].model_copy(update={"parts": parts}), true_world)
        return found["source"], found["verdict"], found["verdict_ours"], found["label"]

    yes, no = (0, 100), (50, 100)
    assert verdicts(("ours", no), ("published", yes)) == ("published", "supported", "refuted", "part 1")
    assert verdicts(("published", no), ("ours", yes)) == ("published", "refuted", "supported", "part 0")
    assert verdicts(("published", yes), ("published", no)) == ("published", "refuted", None, "part 0")
    assert verdicts(("ours", yes), ("ours", no)) == ("ours", "refuted", "refuted", "part 0")


def test_all_parts_must_hold(true_world):
    """One refuted part refutes, one inconclusive part keeps a claim from being supported."""

    def verdict(*regions, replicates=5):
        parts = [
            part(label=f"part {i}", region=region, replicates=replicates) for i, region in enumerate(regions)
        ]
        claim = REGISTER["init-4"].model_copy(update={"parts": parts})
        found = judge(claim, true_world)
        return found["verdict"], found["reason"]

    mean = judge_part(part(), true_world)["estimate"]
    yes, no, unsure = (0, 100), (50, 100), (mean, 100)
    assert verdict(yes, yes) == ("supported", "")
    assert verdict(yes, no, unsure) == (
        "refuted",
        "refuted: part 1; the interval reaches over the region's edge",
    )
    assert verdict(unsure, yes)[0] == "inconclusive"
    assert verdict(unsure, yes)[1].startswith("inconclusive: part 0; ")
    assert verdict(unsure, unsure, yes)[1].startswith("inconclusive: 2 of 3 parts; ")
    assert verdict(yes, no, replicates=50)[0] == "inconclusive"


# The files


def test_the_files_of_verdicts(tmp_path, true_world):
    """Each study's dataset is opened from its file; the JSON has what the report needs and no NaN, the page
    every part of every claim."""
    path = tmp_path / "dataset.nc"
    tree = spoiled(true_world, "diverged", list(range(10)))
    write_atomically(tree, path, encoding=tree_encoding(tree))
    claims = list(REGISTER.values())
    own = tmp_path / "out" / "init_size.json"
    judge_study(claims, path, own, {})
    join_verdicts(claims, [own], tmp_path / "out" / "claims.json", tmp_path / "out" / "claims.md", {})
    text = (tmp_path / "out" / "claims.json").read_text(encoding="utf-8")
    verdicts = json.loads(text, parse_constant=pytest.fail)
    assert [verdict["id"] for verdict in verdicts] == CLAIMS
    assert [verdict["headline"] for verdict in verdicts] == [name in CONTROLLED for name in CLAIMS]
    assert verdicts == json.loads(json.dumps(judge_together(claims, tree)))
    for claim, verdict in zip(claims, verdicts, strict=True):
        assert [found["interval"] for found in verdict["parts"]] == [asked.interval for asked in claim.parts]
        assert [found["source"] for found in verdict["parts"]] == [asked.source for asked in claim.parts]
        assert verdict["figures"] == claim.figures
        assert [found["label"] for found in verdict["parts"]] == [asked.label for asked in claim.parts]
    assert (tmp_path / "out" / "claims.md").read_text(encoding="utf-8") == as_markdown(verdicts)


def judge_together(claims, tree):
    """The verdicts of one study, corrected for their number."""
    return corrected([judge(claim, tree) for claim in claims])


def about(claim, study):
    return claim.model_copy(update={"study": study})


def test_studies_that_are_judged_apart_give_the_verdicts_of_all_at_once(tmp_path, true_world):
    """To the byte, however often studies alternate in the register; Holm's correction is over all of them,
    and a claim whose study has no data is not asked for the reason given."""
    trees = {"init_size": true_world, "other": World(seeds=4).tree()}
    claims = [about(claim, list(trees)[i % 2]) for i, claim in enumerate(REGISTER.values())]
    alone = about(claims[0], "gone").model_copy(update={"id": "gone-1"})
    reasons = {"gone-1": ["no images"] * len(alone.asked)}
    files = []
    for study, tree in trees.items():
        dataset = tmp_path / f"{study}.nc"
        write_atomically(tree, dataset, encoding=tree_encoding(tree))
        files.append(tmp_path / study / "claims.json")
        judge_study([claim for claim in claims if claim.study == study], dataset, files[-1], {})
    json_path, page = tmp_path / "claims.json", tmp_path / "claims.md"
    join_verdicts([alone, *claims], files, json_path, page, reasons)

    trees["gone"] = None
    at_once = corrected(
        [judge(claim, trees[claim.study], reasons.get(claim.id, ())) for claim in [alone, *claims]]
    )
    text = json.dumps(at_once, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    assert json_path.read_text(encoding="utf-8") == text
    assert page.read_text(encoding="utf-8") == as_markdown(at_once)
    assert at_once[0]["verdict"] == "not asked"
    apart = [one["p_holm"] for study in files for one in corrected(read_verdicts(study))]
    assert sorted(map(str, apart)) != sorted(str(one["p_holm"]) for one in at_once[1:])


@pytest.mark.parametrize("seeds", [10, 2])
def test_the_page_has_every_part(seeds):
    """A row per part with its number, n, region and verdict; statement, control and reason once."""
    tree = World(seeds=seeds).tree()
    verdicts = judge_together(list(REGISTER.values()), tree)
    page = as_markdown(verdicts)
    assert f"{len(CLAIMS)} claims were tested" in page
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {10}
    for name, claim in REGISTER.items():
        assert sum(f"</a>{name} | {claim.statement} | " in row for row in rows) == 1
        for asked in claim.parts:
            assert any(f"|  | {asked.label} | " in row for row in rows)
    for verdict in verdicts:
        for found in verdict["parts"]:
            assert any(f"| {units(found)} | {minus(found['region'])} | " in row for row in rows)
        assert not verdict["reason"] or f"|  | {verdict['reason']} |" in page
        said = verdict["control"].get("statement") or verdict["control"]["reason"]
        assert said in page
    assert "nan" not in page.lower()
    assert "None" not in page


def test_a_bar_in_a_statement_breaks_no_table(true_world):
    """|f| is a common way to write a norm."""
    claim = REGISTER["init-3"].model_copy(update={"statement": "|f| grows", "parts": [part(label="|f|")] * 2})
    page = as_markdown(judge_together([claim], true_world))
    assert "\\|f\\| grows" in page
    rows = [line.replace("\\|", "") for line in page.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {10}


def test_a_claim_is_judged_by_its_own_arguments(true_world):
    """Selecting another width gives another number: arguments reach the estimand."""
    numbers = {
        width: judge_part(
            part(
                arguments={
                    "block": "scale",
                    "scales": [1, 3],
                    "measure": "test_mse",
                    "select": {"width": width},
                }
            ),
            true_world,
        )["estimate"]
        for width in (64, 256)
    }
    mse = true_world["trained/scale"].ds.test_mse
    for width, number in numbers.items():
        expected = (mse.sel(width=width, scale=3) - mse.sel(width=width, scale=1)).mean()
        assert number == pytest.approx(float(expected))
    assert numbers[64] != numbers[256]


def test_a_claim_without_a_control_says_why(true_world):
    claim = REGISTER["init-4"]
    found = verdict_of("init-4", true_world)
    assert isinstance(claim, Claim)
    assert found["control"] == {"outcome": "none", "reason": claim.control.reason}
    assert not found["headline"]
