"""What a config is made of: the studies' own files, the overlay of a scale, and over them the config."""

import json

import pytest
import yaml
from tests.unit.worlds import ROOT

from minima.plan import parts
from minima.plan.layers import laid_over, lay
from minima.plan.mistakes import ConfigError
from minima.plan.workplan import Plan

STUDY = """
title: Mine?
data:
  points: {source: moons, train_size: 20, test_size: 20}
blocks:
  main: {data: points, network: {width: 8}, axes: {init.scale: [1, 2]}, seed: {start: 5, count: 3}}
  other: {data: points, network: {width: 4}}
references: {min_norm: {}}
figures:
  error_vs_scale: {block: main}
"""
CLAIM = """
claims:
  - {id: mine-1, statement: It holds., control: {reason: none}, parts:
     [{label: a number, estimand: mine.number, region: [0, 1], arguments: {block: main}}]}
"""


@pytest.fixture
def extension(tmp_path):
    """A user's folder with one study and its overlay; what it holds leaves with the test."""
    folder = tmp_path / "ours" / "studies" / "mine"
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(STUDY)
    (folder / "smoke.yaml").write_text("blocks: {main: {seed: {count: 1}}}")
    (folder / "claims.yaml").write_text(CLAIM)
    (folder / "estimands.py").write_text("def number(tree, block): ...\n")
    yield folder
    parts.extend([])


@pytest.fixture
def plan(extension):
    def of(**config):
        return Plan({"run": ["mine"], "extensions": [str(extension.parents[1])]} | config)

    return of


def mistakes(make, **config):
    with pytest.raises(ConfigError) as caught:
        make(**config)
    return [str(mistake) for mistake in caught.value.mistakes]


def seeds(plan, block="main"):
    return sorted({cell["seed"] for cell in plan.blocks_of("mine")[block].cells})


def test_a_users_folder_is_a_study_as_ours_are(plan):
    """Grids, references, figures and claims: what its files say and the config only names."""
    mine = plan()
    assert mine.studies == ["mine"]
    assert len(mine.cells) == 7
    assert seeds(mine) == [5, 6, 7]
    assert len(mine.reference_fits) == 2, "of two decades of splits"
    assert mine.figures == [("mine", "error_vs_scale")]
    (claim,) = mine.claims
    assert (claim.study, claim.parts[0].module) == ("mine", "studies.mine.estimands")


def test_the_config_is_laid_over_the_overlay_and_that_over_the_study(plan):
    assert seeds(plan(scale="smoke")) == [5]
    over = {"mine": {"blocks": {"main": {"seed": {"start": 8}, "axes": {"init.scale": [3]}}}}}
    both = plan(scale="smoke", studies=over)
    assert seeds(both) == [8]
    assert {cell["init"]["scale"] for cell in both.blocks_of("mine")["main"].cells} == {3}
    wider = plan(data={"points": {"train_size": 30}})
    assert {cell["data"]["train_size"] for cell in wider.cells.values()} == {30}


def test_null_takes_a_mapping_away(plan):
    less = plan(studies={"mine": {"blocks": {"main": None}, "figures": {"error_vs_scale": None}}})
    assert list(less.blocks_of("mine")) == ["other"]
    assert less.figures == []
    assert laid_over({"a": 1, "b": {"c": [2]}}, {"a": None, "b": {"c": [3], "d": 4}}) == {
        "a": None,
        "b": {"c": [3], "d": 4},
    }


def test_an_edit_of_a_studys_file_is_an_edit_of_the_config(plan, extension):
    before = plan()
    path = extension / "study.yaml"
    path.write_text(STUDY.replace("count: 3", "count: 4"))
    assert len(set(plan().cells) - set(before.cells)) == 2
    assert plan().stamps.study("mine") != before.stamps.study("mine")
    path.write_text(STUDY.replace("Mine?", "Whose?"))
    assert plan().cells == before.cells
    assert plan().stamps.dataset("mine") != before.stamps.dataset("mine")


def test_a_mistake_is_told_under_the_file_that_it_stands_in(plan, extension):
    """Of three files and the config at once."""
    wrong = STUDY.replace("width: 4", "widht: 4").replace("20, test", "-1, test")
    (extension / "study.yaml").write_text(wrong)
    (extension / "smoke.yaml").write_text("blocks: {main: {seed: {count: 0}}}")
    found = mistakes(plan, scale="smoke", studies={"mine": {"blocks": {"main": {"network": {"depth": 0}}}}})
    assert [mistake.split(": ", 2)[:2] for mistake in found if mistake.startswith(str(extension))] == [
        [f"{extension}/study.yaml", "data.points.train_size"],
        [f"{extension}/smoke.yaml", "blocks.main.seed.count"],
        [f"{extension}/study.yaml", "blocks.other.network.widht"],
    ]
    assert any(mistake.startswith("studies.mine.blocks.main.network.depth: ") for mistake in found)


@pytest.mark.parametrize(
    ("text", "says"),
    [("blocks: [", "is no YAML"), ("- a", "should be a mapping"), ("title: x", "blocks: is missing")],
)
def test_a_study_file_that_is_none_is_refused_by_its_name(plan, extension, text, says):
    (extension / "study.yaml").write_text(text)
    assert any(m.startswith(f"{extension}/study.yaml: ") and says in m for m in mistakes(plan))


def test_recipes_of_one_name_must_be_the_same(plan):
    twin = yaml.safe_load(STUDY) | {"references": {}}
    assert plan(run=["mine", "twin"], studies={"twin": twin}).studies == ["mine", "twin"]
    twin["data"]["points"]["test_size"] = 30
    (mistake,) = mistakes(plan, run=["mine", "twin"], studies={"twin": twin})
    assert mistake == "data.points: is another recipe in the study mine than in twin: rename one"


def test_a_misspelt_scale_or_study(plan):
    assert "scale: 'smok' is no overlay of any study (did you mean 'smoke'?)" in mistakes(plan, scale="smok")
    assert "run: 'miine' is no study (did you mean 'mine'?)" in mistakes(plan, run=["miine"])
    assert "run: names no study (known: adaptive, " in mistakes(Plan, raw={})[0]


def test_a_study_stands_in_one_folder(plan, extension):
    extension.rename(extension.with_name("momentum"))
    (mistake,) = mistakes(plan, run=["momentum"])
    ours = ROOT / "workflow_scripts/studies/momentum"
    assert mistake.endswith(f"the study 'momentum' stands in {ours} too")


def test_only_the_studies_that_a_config_asks_for_are_read(monkeypatch):
    layers = lay({"run": ["momentum"], "studies": {"adaptive": {}}}).layers
    assert [layer.study for layer in layers] == ["", "adaptive", "momentum"]


def test_what_jobs_get_is_whole(plan, extension):
    """An edit of a study's file, or of its overlay, during a run is for the next one."""
    begun = plan(scale="smoke", studies={"mine": {"figures": {"error_vs_scale": None}}})
    (extension / "study.yaml").write_text(STUDY.replace("width: 4", "width: 5"))
    (extension / "smoke.yaml").unlink()
    job = Plan(json.loads(json.dumps(begun.whole)))
    assert job.cells == begun.cells
    assert job.figures == begun.figures == []
    assert job.config_digest == begun.config_digest


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("estimands.py", "def number(tree, block:\n", "estimands.py: is no Python"),
        ("figures/own.py", "CAPTION = 'Own.'\n", "own.py: a figure needs a function tabulate(tree, block)"),
        ("figures/own.py", "def tabulate(tree, block):\n    ...\n", "own.py: a figure needs a CAPTION"),
    ],
)
def test_code_of_a_study_that_cannot_be_used_is_told_before_any_job(plan, extension, name, text, says):
    (extension / "figures").mkdir()
    (extension / "figures" / "own.py").write_text("CAPTION = 'Own.'\ndef tabulate(tree, block): ...\n")
    (extension / name).write_text(text)

    def make():
        mine = plan(studies={"mine": {"figures": {"own": {"block": "main"}}}})
        mine.check()
        mine.captions("mine")

    (mistake,) = mistakes(make)
    assert says in mistake
