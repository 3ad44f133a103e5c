"""What an edit of the code costs: the jobs that each kind of edit starts, by the stamps that rules depend on.

The stamps of a plan read a copy of the package, in which one module is edited. A job runs where its stamp has
changed, or where a job runs that makes one of its inputs. `draw` counts the pictures that may be drawn: the
figures of a study are one job's, which runs where the stamp of one of them has changed and draws that one.
"""

import ast
import shutil
from collections import Counter

import pytest

from minima.plan import fingerprint as fp
from minima.plan.workplan import Plan

STOP = {"max_steps": 50}
DIGITS = {"source": "digits", "classes": [3, 8], "train_size": 20, "test_size": 20}
CLAIM = """
  - id: toy-{number}
    study: {study}
    statement: It holds.
    parts: [{{label: a number, estimand: init_size.increase, region: [0, 1], arguments:
      {{block: {block}, scales: [1, 3], measure: test_mse}}}}]
    control: {{reason: it is a test}}
"""
CONFIG = {
    "execution": {"pack_minutes": 1e-4},  # a job for each cell
    "data": {
        "digits": DIGITS,
        "confused": DIGITS | {"labels": "onehot", "confusion": {"copies": 2}},
        "moons": {"source": "moons", "train_size": 20, "test_size": 20},
    },
    "studies": {
        "sizes": {
            "blocks": {
                "main": {
                    "data": "digits",
                    "network": {"width": 8},
                    "axes": {
                        "network.activation": ["relu", "erf"],
                        "optimizer": {
                            "plain": {"name": "gd"},
                            "heavy": {"name": "heavy_ball", "schedule": {"kind": "cosine", "length": 9}},
                        },
                    },
                    "record": {"probes": ["accuracy", "norm"]},
                    "stop": STOP,
                },
            },
            "references": {"ntk": {}, "rbf": {}},
            "figures": {"error_vs_scale": {}},
        },
        "inertia": {
            "blocks": {
                "points": {
                    "data": "moons",
                    "network": {"width": 8, "activation": "tanh"},
                    "init": {"scheme": "antisymmetric"},
                    "record": {"probes": ["sharpness"]},
                    "stop": STOP,
                },
                "noise": {
                    "data": "confused",
                    "network": {"kind": "dense"},
                    "loss": "cross_entropy",
                    "optimizer": {"name": "sgd", "lr": 0.1},
                    "stop": STOP,
                },
            },
            "references": {"min_norm": {}},
            "figures": {"loss_curves": {"block": "points"}},
        },
    },
}
CELLS, PACKS = 6, 6
EVERYTHING_AFTER = {"aggregate": 2, "judge": 2, "join": 1, "draw": 2, "describe": 2}
# Of which one study's dataset, its verdicts and those of all, its figure and its part of the report.
INIT_SIZE = {"aggregate": 1, "judge": 1, "join": 1, "draw": 1, "describe": 1}
MOMENTUM = INIT_SIZE


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    register = tmp_path_factory.mktemp("register") / "claims.yaml"
    claims = [("sizes", "main"), ("inertia", "points")]
    texts = [CLAIM.format(number=n, study=study, block=block) for n, (study, block) in enumerate(claims)]
    register.write_text(f"claims:{''.join(texts)}")
    return Plan(CONFIG | {"claims": str(register)})


@pytest.fixture(scope="module")
def before(plan):
    return stamps(plan)


@pytest.fixture
def package(before, tmp_path, monkeypatch):
    """A copy of the package that fingerprints are taken of from now on."""
    copy = tmp_path / "minima"
    for name in ("minima", "studies"):
        ignored = shutil.ignore_patterns("__pycache__", "*.json")
        shutil.copytree(fp.PACKAGE.with_name(name), tmp_path / name, ignore=ignored)
    monkeypatch.setattr(fp, "PACKAGE", copy)
    return copy


def stamps(plan):
    """Job → its stamp, and cell → its fingerprint."""
    found = {("prepare", name): plan.stamps.data(name) for name in plan.data_files}
    found |= {("fit", name): plan.stamps.reference(name) for name in plan.reference_fits}
    found |= {("train", name): plan.stamps.pack(name) for name in plan.packs}
    found |= {("aggregate", study): plan.stamps.dataset(study) for study in plan.studies}
    found |= {("draw", figure): plan.stamps.figure(*figure) for figure in plan.figures}
    found |= {("judge", study): plan.stamps.verdicts(study) for study in plan.judged_studies}
    found |= {("join", ""): plan.stamps.claims()}
    found |= {("describe", study): plan.stamps.section(study) for study in plan.studies}
    return found | {("cell", name): fp.cell_fingerprint(cell) for name, cell in plan.cells.items()}


def inputs(plan, kind, name):
    """The jobs that make what a job reads."""
    if kind == "train":
        return [("prepare", file) for file in plan.data_of(name)]
    if kind == "fit":
        return [("prepare", plan.reference_fits[name].data)]
    if kind == "aggregate":
        packs = [("train", pack) for pack in plan.packs_of(name)]
        return packs + [("fit", fit) for fit in plan.references_of(name)]
    if kind == "draw":
        return [("aggregate", name[0])]
    if kind in ("judge", "describe"):
        return [("aggregate", name)]
    return [("judge", study) for study in plan.judged_studies] if kind == "join" else []


def started(plan, before):
    """How many jobs of each kind the edited package starts, and how many cells it makes others."""
    after = stamps(plan)
    run = {job for job in before if before[job] != after[job]}
    for kind in (
        "train",
        "fit",
        "aggregate",
        "judge",
        "join",
        "draw",
        "describe",
    ):  # a job behind those that make its inputs
        run |= {job for job in before if job[0] == kind and run & {*inputs(plan, *job)}}
    return dict(Counter(kind for kind, _ in run))


def test_the_plan_is_what_the_counts_are_of(before):
    kinds = Counter(kind for kind, _ in before)
    assert kinds == {"prepare": 3, "fit": 4, "train": PACKS, "cell": CELLS} | EVERYTHING_AFTER


def reworded(path):
    """Another word in every docstring and description of a module, and a remark."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "description":
            node.value = ast.BinOp(ast.Constant("In other words: "), ast.Add(), node.value)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body[0].value.value += " In other words."
    path.write_text(ast.unparse(tree) + "\n# A remark.\n", encoding="utf-8")


def test_words_start_no_job(plan, before, package):
    """Comments, docstrings and the descriptions of options, in all modules at once."""
    for path in package.parent.rglob("*.py"):
        reworded(path)
    assert started(plan, before) == {}


PARTS = {
    "data": ["sources"],
    "engine": ["activations", "inits", "losses", "models", "optimizers", "probes", "schedules"],
    "findings": ["estimands", "figures"],
    "theory": ["activations", "predictors", "probes", "rates", "references"],
}


def test_a_new_part_starts_no_job(plan, before, package):
    """One more of each kind: no module that jobs use knows the list of all parts."""
    for room, kinds in PARTS.items():
        for kind in kinds:
            assert (package / room / kind / "__init__.py").exists()
            (package / room / kind / "novel.py").write_text("NOVEL = 1\n")
    assert started(plan, before) == {}


def test_a_new_option_starts_no_job(plan, before, package):
    """A class more in each module that says what a config may say: jobs depend on what it did say."""
    for module in ("config", "networks", "optimizers", "options", "recipes", "register"):
        path = package / "plan" / f"{module}.py"
        path.write_text(path.read_text() + "\n\nclass Novel(Options):\n    number: float = 1.0\n")
    assert started(plan, before) == {}


def test_another_tolerance_of_the_answer_trains_nothing(plan, before):
    """`nearest_within` of one study: its dataset and what is made of it."""
    sizes = CONFIG["studies"]["sizes"] | {"nearest_within": 0.1}
    studies = CONFIG["studies"] | {"sizes": sizes}
    assert started(Plan(CONFIG | {"studies": studies, "claims": plan.config.claims}), before) == INIT_SIZE


def trains(cells, after, **others):
    return {"cell": cells, "train": cells} | after | others


@pytest.mark.parametrize(
    ("module", "jobs"),
    [
        pytest.param("engine/core", trains(CELLS, EVERYTHING_AFTER), id="the loop"),
        pytest.param("engine/models/mlp", trains(5, EVERYTHING_AFTER), id="a network"),
        pytest.param("engine/models/dense", trains(1, MOMENTUM), id="another network"),
        pytest.param("engine/activations/relu", trains(2, INIT_SIZE), id="an activation"),
        pytest.param("engine/activations/tanh", trains(1, MOMENTUM), id="another activation"),
        pytest.param("engine/inits/antisymmetric", trains(1, MOMENTUM), id="an init"),
        pytest.param("engine/losses/cross_entropy", trains(1, MOMENTUM), id="a loss"),
        pytest.param("engine/losses/logistic", {}, id="a loss of no cell"),
        pytest.param("engine/optimizers/heavy_ball", trains(2, INIT_SIZE), id="an optimizer"),
        pytest.param("engine/schedules/cosine", trains(2, INIT_SIZE), id="a schedule"),
        pytest.param("engine/schedules/milestones", {}, id="a schedule of no cell"),
        pytest.param("engine/probes/norm", trains(4, INIT_SIZE), id="a probe"),
        pytest.param("engine/probes/sharpness", trains(1, MOMENTUM), id="another probe"),
        pytest.param("engine/probes/flips", {}, id="a probe of no cell"),
        pytest.param("engine/augment", {}, id="augmentation, of no cell"),
        pytest.param("theory/predictors/linearized", trains(5, EVERYTHING_AFTER), id="a predictor"),
        pytest.param("theory/predictors/decayed", {}, id="a predictor of no cell"),
        pytest.param("theory/references/rbf", {"fit": 2} | INIT_SIZE, id="a reference"),
        pytest.param("theory/references/min_norm", {"fit": 2} | MOMENTUM, id="another reference"),
        pytest.param("theory/activations/erf", {"fit": 1} | INIT_SIZE, id="an activation's kernel"),
        pytest.param("theory/kernels", {"fit": 2} | INIT_SIZE | {"judge": 2}, id="kernels"),
        pytest.param(
            "data/sources/moons", {"prepare": 1, "train": 1, "fit": 1} | MOMENTUM, id="a source of data"
        ),
        pytest.param("data/confusion", {"prepare": 1, "train": 1, "fit": 1} | MOMENTUM, id="confusion sets"),
        pytest.param("data/sources/mnist", {}, id="a source of no cell"),
        pytest.param(
            "data/splits", {"prepare": 3, "train": PACKS, "fit": 4} | EVERYTHING_AFTER, id="all data"
        ),
        pytest.param("jobs/fit_reference", {"fit": 4} | EVERYTHING_AFTER, id="all references"),
        pytest.param("jobs/train_pack", {}, id="what a job does around training"),
        pytest.param("findings/dataset", EVERYTHING_AFTER, id="datasets"),
        pytest.param("../studies/init_size/estimands", {"judge": 2, "join": 1}, id="estimands"),
        pytest.param("../studies/adaptive/estimands", {}, id="estimands of no study"),
        pytest.param("findings/claims", {"judge": 2, "join": 1}, id="verdicts"),
        pytest.param("findings/sections", {"describe": 2}, id="parts of the report"),
        pytest.param("findings/figures/error_vs_scale", {"draw": 1}, id="a figure"),
        pytest.param("findings/style", {"draw": 2}, id="what all figures share"),
        pytest.param("../studies/momentum/figures/crossover", {}, id="a figure of no study"),
        pytest.param("findings/forecast", {}, id="the forecast"),
        pytest.param("plan/cost", {}, id="prices"),
        pytest.param("plan/grid", {}, id="grids"),
    ],
)
def test_an_edit_of_code_starts_the_jobs_that_use_it(plan, before, package, module, jobs):
    path = package / f"{module}.py"
    path.write_text(path.read_text() + "\nEDITED = 1\n")
    assert started(plan, before) == jobs
