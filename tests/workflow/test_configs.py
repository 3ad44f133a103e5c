"""The configs that the repository hands out: published scale is planned and priced, the page's study runs."""

import re

import numpy as np
import pytest
import xarray as xr
import yaml
from harness import ROOT
from snakemake.utils import update_config

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


def plan_of(*names):
    """The plan of configs laid over each other."""
    raw = {}
    for name in names:
        update_config(raw, yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text(encoding="utf-8")))
    return Plan(raw)


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


@pytest.mark.slow
def test_the_study_of_the_page_runs(fresh):
    """The YAML as printed, on a table of 200 points, and the lines that read its answers, as printed."""
    fresh.config = COMMITTED
    (study,) = code_on_the_page("yaml")
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
