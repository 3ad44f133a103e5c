"""The same register on other data: what a replication trains, on which seeds, and what it cannot ask."""

import pytest
import yaml

from minima.plan import parts
from minima.plan.mistakes import ConfigError
from minima.plan.workplan import Plan

STUDY = yaml.safe_load("""
roles: {binary: [moons, moons_shared]}
data:
  moons: {source: moons, train_size: 20, test_size: 20}
  moons_shared: {source: moons, train_size: 20, test_size: 20, split: {seeds_each: 2}}
  teacher: {source: sphere_teacher, dimension: 5, train_size: 8, test_size: 8}
blocks:
  main: {data: moons, network: {width: 8}, axes: {init.scale: [1, 2]}, seed: {start: 5, count: 3}}
  shared: {data: moons_shared, network: {width: 8}, seed: {start: 10, count: 4}}
  taught: {data: teacher, network: {width: 8}}
  sizes: {data: moons, network: {width: 8}, axes: {data.train_size: [20, 80]}, seed: 5}
  drawn: {data: moons, network: {width: 8}}
  first: {data: moons, network: {kind: dense, hidden: [8]}, keep_parameters: true, seed: 5}
  then: {data: moons, network: {kind: dense, hidden: [8]}, init: {scheme: pretrained, from: first}, seed: 5}
figures:
  error_vs_scale: {block: main}
  loss_curves: {block: drawn}
""")


def part(block, label="a number"):
    return {"label": label, "estimand": "mine.number", "region": [0, 1], "arguments": {"block": block}}


def claim(name, *blocks, control=None):
    return {
        "id": name,
        "statement": "It holds.",
        "parts": [part(block, f"of {block}") for block in blocks],
        "control": part(control) | {"statement": "Not here."} if control else {"reason": "none"},
    }


CLAIMS = [
    claim("mine-1", "main", "shared"),
    claim("mine-2", "taught"),
    claim("mine-3", "main", "sizes"),
    claim("mine-4", "then"),
    claim("mine-5", "main", control="taught"),
    claim("mine-6", "main", "whole"),
]
IRIS = {"source": "iris", "classes": [0, 1], "test_size": 40}


@pytest.fixture
def plan(tmp_path):
    """What makes plans of the study and its register with replications; the study leaves with the test."""
    folder = tmp_path / "ours" / "studies" / "mine"
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    (folder / "claims.yaml").write_text(yaml.safe_dump({"claims": CLAIMS}))
    (folder / "large.yaml").write_text(yaml.safe_dump({"blocks": {"whole": STUDY["blocks"]["main"]}}))
    (folder / "estimands.py").write_text("def number(tree, block): ...\n")

    def of(asked, **config):
        given = {"run": ["mine"], "extensions": [str(folder.parents[1])], "data_dir": str(tmp_path)}
        return Plan(given | {"replications": {"other": asked}} | config)

    yield of
    parts.extend([])


def sources(plan, block):
    return {cell["data"]["source"] for cell in plan.blocks_of("mine")[block].cells}


def seeds(plan, block):
    return sorted({cell["seed"] for cell in plan.blocks_of("mine")[block].cells})


def test_other_data_take_the_place_of_every_recipe_of_their_role(plan):
    """What the recipe says beside its source stays, also that seeds share a split."""
    found = plan({"data": {"binary": IRIS}}).of("other")
    assert sources(found, "main") == sources(found, "shared") == {"iris"}
    (recipe,) = {cell.written("data") for cell in found.blocks_of("mine")["shared"].cells}
    assert '"train_size":20' in recipe
    assert '"seeds_each":2' in recipe


def test_a_recipe_can_be_named_by_itself(plan):
    """And what is said of it alone goes before what is said of its role."""
    own = {"binary": IRIS, "moons_shared": {"train_size": 10}}
    found = plan({"data": own}).of("other")
    assert (sources(found, "main"), sources(found, "shared")) == ({"iris"}, {"moons"})


def test_seeds_move_so_that_splits_stay_together(plan):
    """A seed that shares its split moves as many splits as one that has its own."""
    found = plan({"data": {"binary": IRIS}, "seed_shift": 100}).of("other")
    assert seeds(found, "main") == [105, 106, 107]
    assert seeds(found, "shared") == [210, 211, 212, 213]
    assert {cell.split for cell in found.blocks_of("mine")["shared"].cells} == {105, 106}


def test_only_blocks_of_asked_claims_are_trained(plan):
    """A block that only a figure shows is not, and the figure goes with it; the start of a network comes."""
    found = plan({"data": {"binary": IRIS}, "claims": ["mine-1", "mine-4"]}).of("other")
    assert set(found.blocks_of("mine")) == {"main", "shared", "first", "then"}
    assert [name for _, name in found.figures] == ["error_vs_scale"]
    assert set(found.not_asked) == {"mine-2", "mine-3", "mine-5", "mine-6"}


def test_what_the_data_cannot_answer_is_not_asked_and_why_is_said(plan):
    found = plan({"data": {"binary": IRIS}}).of("other")
    assert "sizes" not in found.blocks_of("mine")
    whole, rows = found.not_asked["mine-3"]
    assert (whole, rows) == (
        "",
        "train_size 80 + test_size 40 is more than the 100 rows of iris, classes [0, 1]",
    )
    assert found.not_asked["mine-2"] == ["asked of teacher, in whose place this replication has no data"]
    assert found.not_asked["mine-5"][0] == "" != found.not_asked["mine-5"][1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param({"source": "mnist", "classes": [3, 8]}, "there is no file", id="published files"),
        pytest.param({"source": "file", "path": "gone.npz"}, "there is no file gone.npz", id="own file"),
        pytest.param({"source": "iris"}, "iris has no class", id="classes"),
        pytest.param(IRIS | {"test_size": 400}, "more than the 100 rows", id="rows"),
    ],
)
def test_a_data_set_that_cannot_be_had_is_not_asked_at_all(plan, data, reason):
    found = plan({"data": {"binary": {"classes": [3, 8]} | data}}).of("other")
    assert found.studies == []
    assert reason in found.not_asked["mine-1"][0]


def test_what_starts_from_a_block_that_cannot_be_asked_is_not_asked(plan):
    """The reason is that of the start."""
    block = {"studies": {"mine": {"blocks": {"first": {"data": "moons", "axes": {"data.train_size": [90]}}}}}}
    found = plan({"data": {"binary": IRIS}} | block).of("other")
    assert "then" not in found.blocks_of("mine")
    assert found.not_asked["mine-4"][0].startswith("starts from first: ")


def test_a_block_of_another_scale_is_asked_there_alone(plan):
    """In a replication too; of blocks that no scale has nothing is known."""
    asked = {"data": {"binary": IRIS}}
    here, there = plan(asked), plan(asked, scale="large")
    for found in (here, here.of("other")):
        assert found.not_asked["mine-6"] == ["", "asked with scale: large alone"]
    assert there.not_asked == {}
    assert "mine-6" not in there.of("other").not_asked
    jobs = type(here)(here.whole)
    assert jobs.not_asked == here.not_asked


def test_settings_of_a_study_are_laid_over_it(plan):
    settings = {"mine": {"blocks": {"main": {"network": {"width": 3}}, "shared": None}}}
    found = plan({"data": {"binary": IRIS}, "studies": settings}).of("other")
    assert {cell["network"]["width"] for cell in found.blocks_of("mine")["main"].cells} == {3}
    assert found.not_asked["mine-1"] == ["", "this replication does not ask it"]


def test_a_replication_stands_in_a_folder_of_its_own_and_shares_the_store(plan):
    whole = plan({"data": {"binary": IRIS}})
    own = whole.of("other")
    assert own.paths.claims == "results/replications/other/claims.json"
    assert own.paths.store == whole.paths.store
    assert whole.at("replications/other/") is own
    assert whole.at("") is whole.chosen is whole
    assert plan({"data": {"binary": IRIS}}, replication="other").chosen.name == "other"


def test_replications_change_nothing_in_what_the_studies_ask(plan):
    """Cells, digest and stamps of a config are those that it has without them."""
    with_one, without = plan({"data": {"binary": IRIS}}), plan({"data": {"binary": IRIS}}, replications={})
    assert set(with_one.cells) == set(without.cells)
    assert with_one.config_digest == without.config_digest
    assert with_one.stamps.dataset("mine") == without.stamps.dataset("mine")
    assert with_one.stamps.claims() == without.stamps.claims()


@pytest.mark.parametrize(
    ("replication", "message"),
    [
        pytest.param({"data": {"binry": IRIS}}, "did you mean 'binary'", id="role"),
        pytest.param(
            {"data": {"binary": IRIS | {"trian_size": 3}}}, "did you mean 'train_size'", id="recipe"
        ),
        pytest.param({"data": {"binary": IRIS}, "claims": ["mine-9"]}, "no claim", id="claim"),
        pytest.param(
            {"data": {"binary": IRIS}, "studies": {"mine": {"blocks": {"main": {"netwrk": {}}}}}},
            "did you mean 'network'",
            id="setting",
        ),
    ],
)
def test_a_typo_is_told_and_not_taken_for_what_cannot_be_asked(plan, replication, message):
    whole = plan(replication)
    with pytest.raises(ConfigError, match=message) as caught:
        whole.of("other")
    assert "replications.other" in str(caught.value)


def test_an_unknown_replication_is_told_before_any_job(plan):
    with pytest.raises(ConfigError, match="no replication"):
        plan({"data": {"binary": IRIS}}, replication="othr").check()


def test_every_recipe_of_a_role_is_there(plan):
    """The roles of our own studies name recipes that they have, and each role has data of one kind."""
    whole = Plan(yaml.safe_load("run: [init_size, momentum, bad_minima, linear_nets, adaptive, networks]"))
    labels = {}
    for study in whole.studies:
        for role, recipes in whole.config.studies[study].roles.items():
            labels.setdefault(role, set()).update(whole.config.data[name].labels for name in recipes)
    assert all(len(kinds) == 1 for kinds in labels.values())
    assert {"binary", "value", "ten_classes", "unit_sphere"} <= labels.keys()
