"""The configs that the repository hands out: published scale is planned and priced, the page's study runs."""

import re

import numpy as np
import pytest
import xarray as xr
import yaml
from harness import ROOT
from snakemake.utils import update_config

from minima.plan.recipes import recipe_of
from minima.plan.workplan import Plan

COMMITTED = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "your-own-study.md").read_text(encoding="utf-8")


def code_on_the_page(language):
    """The blocks of code in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_published_scale_is_planned_and_priced(fresh):
    """Every study of the default config, with jobs, times and memory; nothing is downloaded or trained."""
    fresh.config = COMMITTED
    run = fresh.run("plan", "--configfile", "config/paper.yaml").succeeded()
    for study in COMMITTED["run"]:
        cells = re.search(rf"^{study} +0 +(\d+)( +0)+ +[\d.]+ \w+ +[\d.]+ \w+$", run.output, re.MULTILINE)
        assert cells, run.output
        assert int(cells[1]) > 0
    assert re.search(
        r"\d+ training jobs, on one core expected [\d.]+ \w+, at most [\d.]+ \w+; \d+ MB", run.output
    )
    assert run.trained == 0
    assert not (fresh.folder / "data").exists()


def plan_of(*names, **options):
    """The plan of configs laid over each other, and of options over them."""
    raw = {}
    for name in names:
        update_config(raw, yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text(encoding="utf-8")))
    return Plan(raw | options)


def test_published_scale_has_the_seeds_and_copies_that_its_claims_ask_for():
    """In every block that an estimand reads: with fewer a claim could only come out inconclusive."""
    plan = plan_of("config", "paper")
    assert plan.claims
    for claim in plan.claims:
        blocks = plan.blocks_of(claim.study)
        for part in claim.asked:
            for name in (word for word in part.arguments.values() if isinstance(word, str)):
                if name in blocks:
                    units = len({cell["seed"] for cell in blocks[name].cells})
                    if part.estimand == "linear_nets.slack":  # of which each draw is a unit
                        units *= plan.config.studies[claim.study].references.wide_linear.draws
                    assert units >= part.replicates, f"{claim.id}: {part.label}: {name}"
            axes = {axis.dimension: axis.labels for axis in blocks[part.arguments["block"]].axes}
            assert set(part.arguments.get("copies", [])) <= set(axes.get("copies", [])), claim.id


def test_a_slice_of_published_scale_is_part_of_it():
    """Its networks are among those of the whole, which finds them in the store."""
    whole, part = plan_of("config", "paper"), plan_of("config", "paper", "slice")
    assert set(part.cells) < set(whole.cells)


MNIST = plan_of("mnist", run=["init_size", "adaptive"]).config.replications


@pytest.fixture(scope="module")
def with_files(tmp_path_factory):
    """The plan of the replications on files, where all of them are: a plan looks only whether they are."""
    folder = tmp_path_factory.mktemp("data")
    for replication in MNIST.values():
        for recipe in map(recipe_of, replication.data.values()):
            for path in (*recipe.own_files(folder), *recipe.published_files(folder)):
                path.parent.mkdir(exist_ok=True)
                path.touch()
    return plan_of("config", "mnist", data_dir=str(folder))


@pytest.mark.parametrize("name", MNIST)
def test_a_replication_on_files_has_what_its_claims_ask_for(with_files, name):
    """The seeds and, among the labels of its axes, all that a part selects: with less a claim could only come
    out inconclusive. Every claim that it names is asked, and its seeds are nobody else's."""
    plan = with_files.of(name)
    claims = {claim.id: claim for claim in plan.claims}
    own = {cell["seed"] for cell in plan.cells.values()}
    others = (other for other in MNIST if other != name)
    assert not own & {cell["seed"] for other in others for cell in with_files.of(other).cells.values()}
    for asked in MNIST[name].claims:
        claim, blocks = claims[asked], plan.blocks_of(claims[asked].study)
        reasons = plan.not_asked.get(asked, [""] * len(claim.asked))
        assert not reasons[0]
        for part in (part for part, reason in zip(claim.asked, reasons, strict=True) if not reason):
            grid = blocks[part.arguments["block"]]
            assert len({cell["seed"] for cell in grid.cells}) >= part.replicates, f"{asked}: {part.label}"
            axes = {axis.dimension: axis.labels for axis in grid.axes}
            steps = [("lr", step) for step in part.arguments.get("steps", [])]
            for dimension, label in [*part.arguments.get("select", {}).items(), *steps]:
                assert label in axes.get(dimension, [label]), f"{asked}: {part.label}"


def test_a_replication_without_its_files_is_not_asked(tmp_path):
    """And says which file it misses."""
    plan = plan_of("config", "mnist", data_dir=str(tmp_path))
    for name, replication in MNIST.items():
        assert not plan.of(name).cells
        for claim in replication.claims:
            assert plan.of(name).not_asked[claim][0].startswith("there is no file")


@pytest.mark.slow
def test_the_study_of_the_page_runs(fresh):
    """The YAML as printed, on a table of 200 points, and the lines that read its answers, as printed."""
    fresh.config = COMMITTED
    study, *_ = code_on_the_page("yaml")  # recipes of other data follow
    (fresh.folder / "my_study.yaml").write_text(study, encoding="utf-8")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 6))
    np.savez(fresh.folder / "my_data.npz", x=x, y=(x[:, 0] * x[:, 1] > 0).astype(int))
    run = fresh.run("--configfile", "my_study.yaml").succeeded()
    assert run.trained == 30, "the two blocks share the networks of gradient descent at σ = 1"
    saves, reads = code_on_the_page("python")
    assert "my_data.npz" in saves
    namespace = {}
    exec(reads.replace("results/", f"{fresh.folder}/results/"), namespace)
    found = {name for verdict in namespace["answer"].nearest.values.ravel() for name in verdict.split(" or ")}
    assert found <= {"linearized", "ntk", "nngp", "rbf", "none"}
    for name in yaml.safe_load(study)["studies"]["my_study"]["figures"]:
        assert (fresh.folder / "results" / "my_study" / "figures" / f"{name}.png").stat().st_size > 1000
    with xr.open_datatree(fresh.folder / "results/my_study/dataset.nc", engine="netcdf4") as tree:
        assert set(tree.children) == {"trained", "predicted", "reference", "nearest"}
