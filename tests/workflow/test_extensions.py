"""A user's folder outside the checkout, with a part of its own of every kind, and a study that names them."""

import copy
import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
import xarray as xr
import yaml
from harness import Workflow

MINE = {
    "optimizers/halved.py": '''"""Gradient descent with half the step."""

from minima.plan.optimizers import Optimizer


class Halved(Optimizer):
    """Gradient descent with half the step: θ ← θ − η g/2."""


def start(theta):
    return []


def step(theta, gradient, state, numbers, k):
    theta.sub_(gradient * numbers["lr"] * 0.5)
''',
    "models/residual.py": '''"""One residual block of dense layers."""

from math import prod

from pydantic import Field

from minima.plan.networks import Network


class Residual(Network):
    """One residual block of dense layers."""

    units: int = Field(8, ge=1, description="Units of the block.")


def build(network, shape, outputs):
    import torch
    from torch import nn

    from minima.engine.networks.module import ModuleNet

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.into = nn.Linear(prod(shape), network["units"])
            self.inner = nn.Linear(network["units"], network["units"])
            self.out = nn.Linear(network["units"], outputs)

        def forward(self, x):
            h = self.into(x).relu()
            return self.out(h + self.inner(h).relu())

    with torch.device("meta"):
        return ModuleNet(Block(), (prod(shape),))
''',
    "inits/uniform.py": '''"""Uniform weights."""

from minima.plan.inits import LayerInit
from minima.streams import stream


class Uniform(LayerInit):
    """Independent uniform weights."""


def draw(shapes, stds, seed, x):
    draws = (stream(seed, f"weights/{layer}").uniform(-1, 1, (1, *s)) for layer, s in enumerate(shapes))
    return [3**0.5 * std * weights for std, weights in zip(stds, draws, strict=True)]
''',
    "losses/smooth.py": '''"""log cosh(y − f), as the mean over the points."""

from minima.plan.marks import Loss


class Smooth(Loss):
    """The mean of log cosh(y − f)."""


def loss(f, y, out=None):
    import torch

    gap = f - y
    return gap.cosh().log().sum((1, 2)) / y.shape[1], torch.mul(gap.tanh(), 1 / y.shape[1], out=out)
''',
    "probes/largest.py": '''"""The largest weight."""

from minima.plan.marks import Probe


class Largest(Probe):
    """Largest absolute value of a weight."""


def measure(state):
    import torch

    return torch.stack([weight.abs().amax((1, 2, 3)) for weight in state.weights]).amax(0)
''',
    "predictors/nothing.py": '''"""The prediction that training changes nothing on the test points."""

from minima.plan.marks import Predictor


class Nothing(Predictor):
    """Nothing but the data: the interpolant from zero."""


def predict(linearization):
    import torch

    dual = linearization.solve(linearization.kernel, linearization.targets)
    return linearization.of_dual(dual, torch.zeros_like(linearization.start))
''',
    "references/laplace.py": '''"""exp(−‖x − x'‖/√d)."""

from minima.plan.references import KernelRegression


class Laplace(KernelRegression):
    """exp(−‖x − x'‖/√d)."""


def kernel(x1, x2=None, *network):
    import numpy as np

    differences = x1[:, None] - (x1 if x2 is None else x2)[None]
    return np.exp(-np.linalg.norm(differences, axis=2) / x1.shape[1] ** 0.5)
''',
    "sources/spiral.py": '''"""Two arms of a spiral."""

from minima.data.pool import drawn
from minima.plan.recipes import Facts, Recipe


class Spiral(Recipe):
    """Two arms of a spiral in the plane."""

    facts = Facts("Two arms of a spiral", shape=(2,))


def draw(recipe, split):
    import numpy as np

    def rows(count, draw):
        labels = np.arange(count) % 2
        angle = draw.uniform(0, 6, count)
        points = np.column_stack([np.cos(angle), np.sin(angle)]) * (angle * (1 - 2 * labels))[:, None]
        return points, labels

    return drawn(recipe, split, rows)
''',
    "estimands/general.py": '''"""Estimands for any study."""

from minima.findings.samples import node_of, per_seed


def steps(tree, block, select=None):
    """Steps of a network."""
    trained = node_of(tree, "trained", block, select)
    return per_seed(trained.steps, trained.status == "converged")
''',
    "figures/error_by_seed.py": '''"""Error of every network."""

from minima.findings.style import panels

CAPTION = "Error of every network over its seed."


def tabulate(tree, block, *beside):
    return tree[f"trained/{block}"].ds.test_mse.rename("error").to_dataframe().reset_index()


def draw(table):
    figure, [[axes]] = panels(1, 1)
    axes.plot(table.seed, table.error, "o")
    return figure
''',
    "studies/mine/study.yaml": """title: Does it hold of my own?
data:
  arms: {source: spiral, train_size: 12, test_size: 10, normalize: none}
blocks:
  main:
    data: arms
    network: {width: 16}
    loss: mse
    axes:
      optimizer.name: [gd, halved]
      init.scheme: [gaussian, uniform]
    predict: [linearized, nothing]
    record: {probes: [largest]}
    seed: {start: 0, count: 5}
    stop: {residual: 0.9, max_steps: 400}
  nets:
    data: arms
    network: {kind: residual}
    loss: smooth
    optimizer: {name: halved, lr: 0.1}
    seed: {start: 0, count: 2}
    stop: {residual: 0.95, max_steps: 200}
references: {laplace: {}}
figures: {error_by_seed: {block: main}, drawn_here: {block: nets}}
""",
    "studies/mine/claims.yaml": """claims:
  - id: mine-1
    study: mine
    statement: Half the step takes steps.
    parts:
      - label: steps
        estimand: general.steps
        interval: every
        region: [1, null]
        arguments: {block: main, select: {optimizer: halved, scheme: gaussian}}
    control:
      statement: so does the whole step
      label: steps
      estimand: mine.steps
      interval: every
      region: [1, null]
      arguments: {block: main, select: {optimizer: gd, scheme: gaussian}}
""",
    "studies/mine/estimands.py": '''"""Estimands of the study `mine`."""

from minima.findings.samples import node_of, per_seed


def steps(tree, block, select=None):
    """Steps of a network."""
    trained = node_of(tree, "trained", block, select)
    return per_seed(trained.steps, trained.status == "converged")
''',
}
MINE["studies/mine/figures/drawn_here.py"] = MINE["figures/error_by_seed.py"]


MODULE = """configfile: "my_config.yaml"


module minima:
    snakefile:
        "{snakefile}"
    config:
        config["minima"]


use rule * from minima as minima_*
"""


def written(home: Path) -> Path:
    """`home` with the folder and, beside it, the config that names it; returns the config."""
    for name, text in MINE.items():
        file = home / "my_folder" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    config = home / "my_config.yaml"
    config.write_text(yaml.safe_dump({"run": ["mine"], "extensions": ["my_folder"]}), encoding="utf-8")
    return config


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A finished run of the study, with the user's folder in `home` beside the checkout."""
    home = tmp_path_factory.mktemp("extended")
    workflow = Workflow.fresh(home / "minima")
    workflow.config = {"run": ["momentum"]}
    run = workflow.run("--configfile", str(written(home))).succeeded()
    assert run.trained == 22
    return workflow


@pytest.fixture
def again(ran: Workflow, tmp_path: Path) -> Workflow:
    """A copy of the finished run and of the user's folder."""
    shutil.copytree(ran.folder.parent, tmp_path / "home")
    workflow = Workflow(tmp_path / "home" / "minima")
    workflow.config = copy.deepcopy(ran.config)
    return workflow


def rerun(workflow: Workflow, *arguments: str):
    return workflow.run(*arguments, "--configfile", str(workflow.folder.parent / "my_config.yaml"))


def test_a_run_says_by_which_options_snakemake_has_its_config_again(ran):
    """With them the report says how a network is trained again."""
    found = json.loads((ran.folder / "results" / "provenance.json").read_text(encoding="utf-8"))
    assert found["config"]["options"] == f"--configfile {ran.folder.parent / 'my_config.yaml'}"


def test_a_study_of_parts_of_ones_own_runs_from_outside_the_checkout(ran):
    results = ran.folder / "results"
    with xr.open_datatree(results / "mine" / "dataset.nc") as tree:
        main = tree["trained/main"].ds
        assert (main.status == "converged").all()
        assert "largest_path" in main
        assert {"linearized", "nothing"} <= set(tree["predicted/main"].ds.predictor.values)
        assert set(tree["reference/main"].ds.reference.values) == {"laplace"}
        assert tree["trained/nets"].ds.steps.min() > 0
    for figure in ("error_by_seed", "drawn_here"):
        assert (results / "mine" / "figures" / f"{figure}.png").exists()
    (verdict,) = json.loads((results / "claims.json").read_text(encoding="utf-8"))
    assert (verdict["id"], verdict["verdict"]) == ("mine-1", "supported")


def test_an_edited_optimizer_trains_its_own_cells_and_a_comment_none(again):
    file = again.folder.parent / "my_folder" / "optimizers" / "halved.py"
    file.write_text(MINE["optimizers/halved.py"] + "\n# half of it\n", encoding="utf-8")
    assert "Nothing to be done" in rerun(again, "--dry-run").output
    file.write_text(MINE["optimizers/halved.py"].replace("* 0.5", "* 0.4"), encoding="utf-8")
    run = rerun(again).succeeded()
    assert run.trained == 12  # ten of the grid, two of the networks


def test_what_is_wrong_is_said_before_any_job(again):
    folder = again.folder.parent / "my_folder"
    (folder / "optimizers" / "gd.py").write_text(MINE["optimizers/halved.py"], encoding="utf-8")
    (folder / "probes" / "broken.py").write_text("x = 1\nimport gone\n", encoding="utf-8")
    (folder / "losses" / "bare.py").write_text("x = 1\n", encoding="utf-8")
    run = rerun(again, "--dry-run")
    assert run.code != 0
    for message in (
        "gd.py: the optimizer 'gd' stands in",
        "broken.py:2: does not import",
        "bare.py:1: has no class",
    ):
        assert message in run.output


def test_the_folder_travels_in_the_archive(ran, tmp_path):
    """The command of an archive's README judges and draws what was unpacked, without training."""
    rerun(ran, "archive").succeeded()
    there = Workflow(tmp_path / "unpacked")
    shutil.copytree(ran.folder, there.folder, ignore=shutil.ignore_patterns("results", ".snakemake"))
    with zipfile.ZipFile(ran.folder / "results" / "archive.zip") as archive:
        archive.extractall(there.folder)
    there.config = ran.config
    readme = (there.folder / "archive" / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ +snakemake --cores all (.*)\\\n +(.*)$", readme, re.MULTILINE)
    run = there.run(*" ".join(command).split()).succeeded()
    assert not run.trained
    assert there.files("claims.json") == ran.files("claims.json")


def test_a_module_of_another_workflow_takes_them_too(ran, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    written(other)
    (other / "config").mkdir()
    (other / "config" / "config.yaml").write_text("{}", encoding="utf-8")
    (other / "my_config.yaml").write_text(
        yaml.safe_dump({"minima": {"run": ["mine"], "extensions": ["my_folder"]}}), encoding="utf-8"
    )
    module = MODULE.format(snakefile=ran.folder / "Snakefile")
    (other / "Snakefile").write_text(module, encoding="utf-8")
    workflow = Workflow(other)
    workflow.config = {}
    run = workflow.run("minima_all", "--dry-run").succeeded()
    assert run.jobs["minima_train_pack"] >= 1
