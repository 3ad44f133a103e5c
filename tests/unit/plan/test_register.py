"""The claims register: the committed one fits the committed config, and a mistake in one is told by file and
claim before anything is trained."""

import copy
import csv
from itertools import zip_longest

import numpy as np
import pytest
import yaml
from tests.unit.helpers import RECIPE
from tests.unit.worlds import ROOT, blocks, config, studies

from minima.findings.registrations import as_registered
from minima.plan.mistakes import ConfigError
from minima.plan.register import (
    LEAST_FOR_BOOTSTRAP,
    Claim,
    Control,
    NoControl,
    Part,
    known_estimands,
    read_registers,
)
from minima.plan.workplan import Plan

PLAN = Plan(config())
CLAIMS = PLAN.claims
RAW = {"claims": as_registered(ROOT)}
ASKED = [
    pytest.param(claim, part, id=f"{claim.id}: {part.label}") for claim in CLAIMS for part in claim.asked
]
HERE = [  # those that are not of another scale alone
    pytest.param(claim, part, id=f"{claim.id}: {part.label}")
    for claim in CLAIMS
    for part, reason in zip_longest(claim.asked, PLAN.not_asked.get(claim.id, ()))
    if not reason
]
# Arguments of estimands that name places on a block's axes, and those that name blocks.
PLACES = ("select", "place", "of", "over", "than")
BLOCKS = ("block", "beside", "centred", "pretraining")
GOOD = """
claims:
  - id: toy-1
    paper: "2011.02408"
    study: init_size
    statement: Something holds.
    parts:
      - label: a number
        estimand: init_size.increase
        arguments: {block: scale, scales: [1, 3], measure: test_mse}
        region: REGION
    control: {reason: it is a test}
"""


@pytest.fixture
def register(tmp_path):
    """Writes a register: text, or the committed one changed at a path; returns its path."""

    def write(text=None, at=(), value=None):
        if text is None:
            raw = copy.deepcopy(RAW)
            inside = raw
            for key in at[:-1]:
                inside = inside[key]
            inside[at[-1]] = value
            text = yaml.safe_dump(raw, allow_unicode=True)
        path = tmp_path / "claims.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def mistakes(path):
    with pytest.raises(ConfigError) as caught:
        read_registers({path: ""})
    return [str(mistake) for mistake in caught.value.mistakes]


# The committed register


def test_the_committed_register_is_valid():
    """Every claim once, in the order of the file, each with a control or a reason why there is none."""
    assert [claim.id for claim in CLAIMS] == [raw["id"] for raw in RAW["claims"]]
    assert all(isinstance(claim, Claim) and claim.statement and claim.parts for claim in CLAIMS)
    for claim in CLAIMS:
        assert isinstance(claim.control, Control) == (
            "statement" in RAW["claims"][CLAIMS.index(claim)]["control"]
        )


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_claims_study_and_figures_exist(claim):
    """In the committed config, so that the report links them."""
    study = studies()[claim.study]
    assert set(claim.figures) <= set(study["figures"])
    assert claim.paper in study.get("citation", "")


@pytest.mark.parametrize(("claim", "part"), HERE)
def test_a_claims_blocks_exist_and_hold_what_it_asks(claim, part):
    """Blocks, selected places and scales are in the committed grid; predictors are predicted there, and of
    frozen kernels the spectrum is kept."""
    grids = blocks(claim.study)
    arguments = part.arguments
    places = [(arguments["block"], arguments[key]) for key in PLACES if isinstance(arguments.get(key), dict)]
    if "centred" in arguments:
        places.append((arguments["centred"], arguments.get("select_centred") or {}))
    places += [(arguments["block"], place) for place in arguments.get("places", [])]
    for block in (arguments[key] for key in BLOCKS if key in arguments):
        assert block in grids
    for block, select in places:
        axes = {axis.dimension: axis.labels for axis in grids[block].axes}
        for dim in select.keys() - {"source"}:
            assert select[dim] in axes[dim]
    axes = {axis.dimension: axis.labels for axis in grids[arguments["block"]].axes}
    assert set(arguments.get("scales", [])) <= set(axes.get("scale", []))
    assert set(arguments.get("copies", [])) <= set(axes.get("copies", []))
    predicted = grids[arguments["block"]].cells[0]["predict"]
    wanted = set(_sources(arguments))
    assert wanted - {"trained", "frozen", "start"} <= set(predicted)
    assert "frozen" not in wanted or grids[arguments["block"]].cells[0]["record"]["spectrum"]
    for function in _functions(arguments):
        for dim in function.keys() - {"source"}:
            assert function[dim] in axes[dim]


def _functions(arguments):
    """The functions that a claim of `adaptive` names, as {source: …, optimizer: …}."""
    for key in ("of", "over", "between", "own", "to", "than"):
        named = arguments.get(key)
        named = [named] if isinstance(named, dict) else named if isinstance(named, list) else []
        yield from (one for one in named if isinstance(one, dict))


def _sources(arguments):
    """Every predicted minimizer that a claim names."""
    for key in ("to", "source", "by", "target"):
        if isinstance(arguments.get(key), str):
            yield arguments[key]
    yield from (one for one in arguments.get("between", []) if isinstance(one, str))
    yield from (function["source"] for function in _functions(arguments) if "source" in function)


@pytest.mark.parametrize(("claim", "part"), ASKED)
def test_whose_statement_a_part_is_stands_written(claim, part):
    """By itself or by the part that it is copied from: nobody's default."""
    assert part is claim.control or "source" in part.model_fields_set


@pytest.mark.parametrize(("claim", "part"), ASKED)
def test_regions_are_numbers_that_can_be_missed(claim, part):
    """YAML 1.1 reads 1e-6 as a word: bounds are floats whatever the spelling, low ≤ high, one at least."""
    bounds = [bound for bound in part.region if bound is not None]
    assert bounds
    assert all(type(bound) is float for bound in bounds)
    assert bounds == sorted(bounds)


@pytest.mark.parametrize(("claim", "part"), HERE)
def test_the_grid_has_the_replicates_that_claims_need(claim, part):
    """A claim that can only come out inconclusive is not worth its training."""
    units = len({cell.split for cell in blocks(claim.study)[part.arguments["block"]].cells})
    if part.estimand == "linear_nets.slack":  # its units are draws, several on each data set
        units *= studies()[claim.study]["references"]["wide_linear"]["draws"]
    assert part.replicates <= units


def test_intervals_are_used_at_the_n_at_which_their_coverage_is_tested():
    """Student's of three units and more, BCa of twenty (`test_stats`)."""
    least = {"t": 3, "bootstrap": LEAST_FOR_BOOTSTRAP}
    for claim in CLAIMS:
        for part in claim.asked:
            assert part.replicates >= least.get(part.interval, 1), (claim.id, part.label)


@pytest.mark.parametrize(("claim", "part"), [param for param in ASKED if param.values[1].pilot])
def test_a_pilot_is_what_its_file_says(claim, part):
    """Mean, spread and n of docs/science/pilots/<study>.csv, to the three digits that the register has; its
    seeds are none of those that the claim is tested on."""
    path = ROOT / "docs" / "science" / "pilots" / f"{claim.study}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["claim"], row["part"]) == (claim.id, part.label)]
    found = np.array([float(row["value"]) for row in rows])
    assert len(found) == part.pilot.n
    assert (part.pilot.mean, part.pilot.sd) == pytest.approx((found.mean(), found.std(ddof=1)), rel=6e-3)
    assert all(int(row["seed"]) < 100 for row in rows)


def test_claims_of_studies_that_do_not_run_are_not_judged(register):
    """`run` selects the claims with the studies; without verdicts there are none."""
    other = {"data": {"own": RECIPE}, "studies": {"other": {"blocks": {"main": {"data": "own"}}}}}
    assert Plan(config() | other | {"run": ["other"]}).claims == []
    plan = Plan(config() | other)
    assert plan.claims == CLAIMS
    assert plan.judged_studies == config()["run"] == list(dict.fromkeys(claim.study for claim in CLAIMS))
    assert Plan(config() | {"verdicts": False}).claims == []


def test_a_register_of_ones_own_stands_beside_those_of_the_studies(register):
    """Its claims come last; an id that a study's register has is refused, under the second file's name."""
    path = register(GOOD.replace("REGION", "[0, 1]"))
    plan = Plan(config() | {"claims": str(path), "run": ["init_size"]})
    assert [claim.id for claim in plan.claims][-2:] == ["init-5b", "toy-1"]
    path.write_text(path.read_text().replace("toy-1", "init-2"))
    with pytest.raises(ConfigError, match=r"claims\.yaml: init-2: stands twice"):
        _ = Plan(config() | {"claims": str(path), "run": ["init_size"]}).claims


def test_the_register_of_a_study_is_about_no_other(register):
    path = register(GOOD.replace("REGION", "[0, 1]"))
    with pytest.raises(ConfigError, match="the register of momentum has no claims about other studies"):
        read_registers({path: "momentum"})
    assert read_registers({path: "init_size"})[0].study == "init_size"


# Reading


@pytest.mark.parametrize(
    ("written", "region"),
    [
        ("[0, 1e-6]", (0.0, 1e-6)),
        ("[0, 1.0e-6]", (0.0, 1e-6)),
        ("[-.65, -.3]", (-0.65, -0.3)),
        ('["1", 2]', (1.0, 2.0)),
        ("[null, 1]", (None, 1.0)),
        ("[~, 1]", (None, 1.0)),
        ("[1, null]", (1.0, None)),
        ("[1, 1]", (1.0, 1.0)),
    ],
)
def test_bounds_are_read_as_numbers(register, written, region):
    (claim,) = read_registers({register(GOOD.replace("REGION", written)): ""})
    assert claim.parts[0].region == region
    assert all(bound is None or type(bound) is float for bound in claim.parts[0].region)


def test_defaults(register):
    """Five units and Student's interval, unless said; a seed redraws data and initialization."""
    (claim,) = read_registers({register(GOOD.replace("REGION", "[0, 1]")): ""})
    assert (claim.parts[0].interval, claim.parts[0].replicates) == ("t", 5)
    assert (claim.parts[0].source, claim.source, claim.parts[0].pilot) == ("ours", "ours", None)
    assert claim.unit == "seed: data split and initialization"
    assert isinstance(claim.control, NoControl)
    assert claim.asked == claim.parts


@pytest.mark.parametrize(
    ("region", "says"),
    [
        ("[1, 0]", "region: the low bound 1 is above the high one 0"),
        ("[null, null]", "region: needs at least one bound"),
        ("[0, 1, 2]", "region"),
        ("[0]", "region"),
        ("3", "region: should be a valid tuple, not 3"),
        ("[a, 1]", "region.0: should be a valid number"),
        ("[.inf, null]", "region.0: should be a finite number"),
        ("[.nan, 1]", "region.0: should be a finite number"),
    ],
)
def test_regions_that_mean_nothing_are_refused(register, region, says):
    """Bounds the wrong way round could never be met, none at all never missed."""
    path = register(GOOD.replace("REGION", region))
    (mistake,) = mistakes(path)
    assert mistake.startswith(f"{path}: toy-1.parts.0.{says}")


FIRST = ("claims", 0)
PART = (*FIRST, "parts", 1)


@pytest.mark.parametrize(
    ("at", "value", "where", "says"),
    [
        ((*PART, "estimand"), "init_size.gapp", "init-1", "no estimand (did you mean 'init_size.gap'?)"),
        ((*PART, "estimand"), "gap", "init-1", "'gap' is no estimand"),
        ((*FIRST, "control", "estimand"), "init_size.slope_in_with", "init-1", "'init_size.slope_in_width'"),
        ((*PART, "arguments", "blok"), "width", "init-1", "'blok' is no argument of init_size.gap"),
        ((*PART, "arguments"), {"block": "width"}, "init-1", "init_size.gap needs the argument between"),
        ((*PART, "arguments"), [1], "init-1.parts.1.arguments", "should be a mapping"),
        ((*PART, "interval"), "students", "init-1.parts.1.interval", "known: t, bootstrap, every, count"),
        ((*PART, "interval"), "count", "init-1.parts.1", "at_least belongs to interval: count"),
        ((*PART, "at_least"), 3, "init-1.parts.1", "at_least belongs to interval: count"),
        ((*PART, "interval"), "bootstrap", "init-1.parts.1", "bootstrap needs replicates of 20 or more"),
        ((*PART, "comparable"), True, "init-1.parts.1", "a mean over data sets, which interval: t alone has"),
        ((*PART, "source"), "theirs", "init-1.parts.1.source", "known: published, ours"),
        ((*PART, "pilot"), {"mean": 1, "sd": -1, "n": 9}, "init-1.parts.1.pilot.sd", "greater than or equal"),
        ((*PART, "replicates"), 1, "init-1.parts.1.replicates", "greater than or equal to 2"),
        ((*PART, "label"), "", "init-1.parts.1.label", "at least 1 character"),
        ((*FIRST, "parts"), [], "init-1.parts", "needs at least 1"),
        ((*FIRST, "statment"), "x", "init-1.statment", "did you mean 'statement'?"),
        ((*FIRST, "control"), None, "init-1.control", "should be a mapping"),
        ((*FIRST, "control"), "none", "init-1.control", "should be a mapping"),
        ((*FIRST, "control"), {"reason": ""}, "init-1.control.reason", "at least 1 character"),
        ((*FIRST, "control"), {"reason": "x", "region": [0, 1]}, "init-1.control.region", "not an option"),
        ((*FIRST, "id"), "Init 1", "Init 1.id", "'Init 1' should be like init-1"),
        ((*FIRST, "id"), "init-2", "init-2", "stands twice"),
        (FIRST, 3, "claims.0", "should be a mapping"),
        (("claims",), 3, "claims", "should be a valid list"),
        (("claim",), [], "claim", "did you mean 'claims'?"),
    ],
)
def test_a_mistake_is_told_by_file_and_claim(register, at, value, where, says):
    """What is wrong and, where a word is near, which was meant."""
    path = register(at=at, value=value)
    (mistake,) = mistakes(path)
    assert mistake.startswith(f"{path}: {where}: ")
    assert says in mistake


def test_all_mistakes_are_told_at_once(register):
    """One run of corrections, not one per mistake."""
    path = register(at=(*FIRST, "parts"), value=[{"label": "x"}, {"estimand": "y"}])
    found = mistakes(path)
    assert {mistake.removeprefix(f"{path}: init-1.").split(":")[0] for mistake in found} == {
        "parts.0.estimand",
        "parts.0.region",
        "parts.1.region",
        "parts.1.label",
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"claims: [", "is no YAML"),
        (b"a: b: c", "is no YAML"),
        (b"claims: !!python/object/apply:os.getcwd []", "is no YAML"),
        (b"\xff\xfe\x00\x81", "cannot be read"),
        (b"", "claims: is missing"),
        (b"- init-1", "should be a mapping"),
    ],
)
def test_what_is_no_register_is_refused_by_its_name(tmp_path, content, says):
    """Neither a traceback nor an object from the file."""
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    (mistake,) = mistakes(path)
    assert str(path) in mistake
    assert says in mistake


def test_a_register_that_is_not_there(tmp_path):
    """No file, or a folder: the path is named, and the plan refuses before any job."""
    path = tmp_path / "none.yaml"
    assert mistakes(path) == [f"{path}: there is no such file"]
    (mistake,) = mistakes(tmp_path)
    assert mistake.startswith(f"{tmp_path}: cannot be read")
    with pytest.raises(ConfigError, match="there is no such file"):
        _ = Plan(config() | {"claims": str(path)}).claims


def test_every_public_function_is_an_estimand():
    """Read from the source without importing it; helpers with an underscore are none."""
    from studies.init_size import estimands as init_size

    found = known_estimands()
    public = [
        name
        for name, value in vars(init_size).items()
        if callable(value) and getattr(value, "__module__", "") == init_size.__name__ and name[0] != "_"
    ]
    assert [name for name in found if name.startswith("init_size.")] == [
        f"init_size.{name}" for name in public
    ]
    assert len(public) >= 7


def test_parts_are_frozen():
    """What was registered before the run cannot be changed by what reads it."""
    part = Part.model_validate({"estimand": "a.b", "region": [0, 1], "label": "x"})
    with pytest.raises(ValueError, match="frozen"):
        part.region = (0, 2)


def test_a_misspelt_study_is_not_dropped_in_silence(tmp_path):
    """A claim about a study that this config does not have is left out, unless the name is nearly there."""
    text = GOOD.replace("REGION", "[0, 1]")
    for name, refused in (("init_sise", True), ("linear_nets_of_mine", False)):
        register = tmp_path / f"{name}.yaml"
        register.write_text(text.replace("study: init_size", f"study: {name}", 1), encoding="utf-8")
        plan = Plan(config() | {"claims": str(register)})
        if refused:
            with pytest.raises(ConfigError, match="did you mean 'init_size'"):
                _ = plan.claims
        else:
            assert "toy-1" not in [claim.id for claim in plan.claims]
