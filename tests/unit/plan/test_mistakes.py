"""Bad configs: each is refused with the path of the mistake, what is wrong and the mend; none crashes."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from minima.plan.figures import known_figures
from minima.plan.layers import lay
from minima.plan.layout import SHARED_FOLDERS
from minima.plan.mistakes import ConfigError
from minima.plan.workplan import Plan, check_writable

ROOT = Path(__file__).parents[3]
# One of each form that the config knows.
CONFIG = yaml.safe_load("""
run: [question]
execution: {device: cpu, pack_minutes: 5}
data:
  digits: {source: digits, classes: [3, 8], train_size: 20, test_size: 20}
  more_digits: {source: digits, classes: [3, 8], train_size: 40, test_size: 20}
  table: {source: file, path: table.npz, train_size: 10, test_size: 10}
studies:
  question:
    title: Which?
    blocks:
      main:
        data: digits
        network: {width: 8}
        optimizer: {name: heavy_ball, lr: {relative: 0.5}}
        stop: {residual: 0.1, max_steps: 100}
        record: {residuals: [0.5, 0.1]}
        predict: [linearized]
        axes:
          data: [digits, more_digits]
          network.depth: {start: 2, count: 2}
          init.scale: [1, 2]
          optimizer: {plain: {name: gd}, heavy: {name: heavy_ball, momentum: 0.5}}
        seed: {start: 0, count: 2}
      other: {data: table, axes: {init.scale: [1, 2]}, seed: 3}
    figures:
      error_vs_scale: {block: other}
""")
MAIN = "studies.question.blocks.main"
NOTHING = object()
HEAVY = {"name": "heavy_ball", "lr": {"relative_to_least": 0.01}}


def changed(config, path, value):
    """A copy of `config` with `value` at `path`, a list of keys and positions; NOTHING takes it out."""
    if not path:
        return value
    config = copy.copy(config)
    inside = config[path[0]] if isinstance(config, list) or path[0] in config else {}
    config[path[0]] = changed(inside, path[1:], value)
    if config[path[0]] is NOTHING:
        del config[path[0]]
    return config


def mistakes(config):
    with pytest.raises(ConfigError) as caught:
        Plan(config)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_the_config_that_the_others_break_is_right():
    plan = Plan(CONFIG)
    assert len(plan.cells) == 2 * 2 * 2 * 2 * 2 + 2
    assert plan.packs


@pytest.mark.parametrize(
    ("path", "value", "at", "says"),
    [
        # unknown keys, level by level
        ("studeis", {}, "studeis", "did you mean 'studies'?"),
        ("execution.devise", "cpu", "execution.devise", "did you mean 'device'?"),
        ("data.digits.trian_size", 3, "data.digits.trian_size", "did you mean 'train_size'?"),
        ("studies.question.blcoks", {}, "studies.question.blcoks", "did you mean 'blocks'?"),
        (f"{MAIN}.netwrok", {}, f"{MAIN}.netwrok", "did you mean 'network'?"),
        (f"{MAIN}.network.widht", 8, f"{MAIN}.network.widht", "did you mean 'width'?"),
        (f"{MAIN}.optimizer.momentun", 0, f"{MAIN}.optimizer.momentun", "did you mean 'momentum'?"),
        (f"{MAIN}.optimizer.lr.relativ", 1, f"{MAIN}.optimizer.lr.relativ", "did you mean 'relative'?"),
        (
            f"{MAIN}.init",
            {"scheme": "pretrained", "from": "other", "scale": 2},
            f"{MAIN}.init.scale",
            "known: ",
        ),
        (
            f"{MAIN}.init",
            {"scheme": "kaiming", "width_power": 1},
            f"{MAIN}.init.width_power",
            "known: scale, layer_scales, flip, scheme)",
        ),
        (
            f"{MAIN}.optimizer.lr",
            {"relative": 1, "relative_to_least": 1},
            f"{MAIN}.optimizer.lr.relative",
            "'relative_to_least'?",
        ),
        (
            f"{MAIN}.optimizer.lr",
            {"rate": "best_constant", "time": 1},
            f"{MAIN}.optimizer.lr.time",
            "did you mean 'times'?",
        ),
        (
            f"{MAIN}.optimizer.lr",
            {"rate": "best_constnt"},
            f"{MAIN}.optimizer.lr.rate",
            "did you mean 'best_constant'?",
        ),
        (f"{MAIN}.stop.max_step", 3, f"{MAIN}.stop.max_step", "did you mean 'max_steps'?"),
        (f"{MAIN}.seed.end", 3, f"{MAIN}.seed.end", "known: start, count"),
        # unknown words
        ("data.digits.source", "digist", "data.digits.source", "did you mean 'digits'?"),
        (f"{MAIN}.optimizer.name", "heavyball", f"{MAIN}.optimizer.name", "did you mean 'heavy_ball'?"),
        (f"{MAIN}.network.activation", "rleu", f"{MAIN}.network.activation", "did you mean 'relu'?"),
        (f"{MAIN}.dtype", "float16", f"{MAIN}.dtype", "did you mean 'float64'?"),
        ("execution.device", "gpu", "execution.device", "did you mean 'cpu'?"),
        # wrong types and impossible values
        (f"{MAIN}.network.width", "wide", f"{MAIN}.network.width", "valid integer"),
        (f"{MAIN}.network.width", 8.5, f"{MAIN}.network.width", "not 8.5"),
        (f"{MAIN}.network.width", -8, f"{MAIN}.network.width", "greater than or equal to 1, not -8"),
        (f"{MAIN}.init.scale", ".inf", f"{MAIN}.init.scale", "not '.inf'"),
        (f"{MAIN}.optimizer.lr", 0, f"{MAIN}.optimizer.lr", "greater than 0"),
        (f"{MAIN}.optimizer.momentum", 1, f"{MAIN}.optimizer.momentum", "less than 1"),
        (f"{MAIN}.optimizer.momentum", {"dampin": 1}, f"{MAIN}.optimizer.momentum.dampin", "mean 'damping'?"),
        (
            f"{MAIN}.optimizer.lr",
            {"relative_to_least": 0},
            f"{MAIN}.optimizer.lr.relative_to_least",
            "than 0",
        ),
        (
            f"{MAIN}.axes",
            {"optimizer": {"strong": HEAVY | {"momentum": {"damping": 12}}, "weak": HEAVY}},
            MAIN,
            "momentum of -0.2: it must be above 0, so damping below 10",
        ),
        (
            "data.digits.split",
            {"seeds_each": 1},
            "data.digits.split.seeds_each",
            "greater than or equal to 2",
        ),
        (f"{MAIN}.stop", [1], f"{MAIN}.stop", "should be a mapping, not [1]"),
        (f"{MAIN}.seed", {"start": 3}, f"{MAIN}.seed.count", "is missing"),
        ("data.digits", {}, "data.digits.source", "is missing"),
        ("data", NOTHING, f"{MAIN}.data", "'digits' is no data recipe (known: none)"),
        ("studies", {}, "run", "'question' is no study (known: adaptive"),
        ("results", "", "results", "at least 1"),
        # true is no 1
        (f"{MAIN}.network.width", True, f"{MAIN}.network.width", "not 'true'"),
        (f"{MAIN}.optimizer.momentum", False, f"{MAIN}.optimizer.momentum", "not 'false'"),
        (f"{MAIN}.optimizer.lr", True, f"{MAIN}.optimizer.lr", "valid number"),
        (f"{MAIN}.stop.loss", True, f"{MAIN}.stop.loss", "valid number"),
        (f"{MAIN}.record.residuals", [0.5, True], f"{MAIN}.record.residuals.1", "valid number"),
        (f"{MAIN}.axes", {"init.scale": [True, 2]}, f"{MAIN}.axes.init.scale", "not 'true'"),
        (f"{MAIN}.seed", True, f"{MAIN}.seed", "valid integer"),
        ("data.digits.split", True, "data.digits.split", "valid integer"),
        # axes
        (f"{MAIN}.axes", [1], f"{MAIN}.axes", "should be a mapping"),
        (f"{MAIN}.axes", {"init.scale": []}, f"{MAIN}.axes.init.scale", "is empty"),
        (f"{MAIN}.axes", {"init.scale": None}, f"{MAIN}.axes.init.scale", "is empty"),
        (f"{MAIN}.axes", {"init.scale": 2}, f"{MAIN}.axes.init.scale", "needs a list, {start, count}, or"),
        (f"{MAIN}.axes", {"init.scale": [1, 2, 1]}, f"{MAIN}.axes.init.scale", "the same value twice"),
        (f"{MAIN}.axes", {"init.scale": [1, 1.0]}, f"{MAIN}.axes.init.scale", "the same value twice"),
        (f"{MAIN}.axes", {"init.scale": [1, "1"]}, f"{MAIN}.axes.init.scale", "the same value twice"),
        (f"{MAIN}.axes", {"network.width": [8, -8]}, f"{MAIN}.axes.network.width", "not -8"),
        (f"{MAIN}.axes", {"optimizer.momentum": [0.5, 1]}, f"{MAIN}.axes.optimizer.momentum", "less than 1"),
        (
            f"{MAIN}.axes",
            {"optimizer.batch_size": [10, 1000], "data": ["digits", "more_digits"]},
            MAIN,
            "optimizer.batch_size 1000 is more than the 40 training rows",
        ),
        (f"{MAIN}.axes", {"network.widht": [8]}, f"{MAIN}.axes.network.widht", "did you mean 'width'?"),
        (f"{MAIN}.axes", {"netwrok.width": [8]}, f"{MAIN}.axes.netwrok.width", "did you mean 'network'?"),
        (f"{MAIN}.axes", {"seed": [1]}, f"{MAIN}.axes.seed", "seed: {start: 100, count: 10}"),
        (f"{MAIN}.axes", {"data": ["digist"]}, f"{MAIN}.axes.data", "did you mean 'digits'?"),
        (f"{MAIN}.axes", {"data": ["digits", "digits"]}, f"{MAIN}.axes (data)", "the same data twice"),
        (
            f"{MAIN}.axes",
            {"optimizer": {"one": {"name": "gd"}, "two": {"name": "gd", "lr": {"relative": 0.5}}}},
            f"{MAIN}.axes (optimizer)",
            "the same optimizer twice",
        ),
        (f"{MAIN}.axes", {"data": [["digits"]]}, f"{MAIN}.axes.data", "is no data recipe"),
        (f"{MAIN}.axes", {"loss": ["mse"]}, f"{MAIN}.axes", "'loss' is a name in every dataset"),
        (f"{MAIN}.axes", {"optimizer.lr": [{"relative": 0.1}]}, f"{MAIN}.axes.optimizer.lr", "need labels"),
        (
            f"{MAIN}.axes",
            {"optimizer.name": ["gd", "heavy_ball"], "optimizer.momentum": [0.5]},
            f"{MAIN}.axes (optimizer.name × optimizer.momentum)",
            "'momentum' is not an option",
        ),
        # data that cannot be
        (
            "data.digits.train_size",
            4000,
            "data.digits",
            "train_size 4000 + test_size 20 is more than the 357",
        ),
        ("data.digits.classes", [3, 11], "data.digits", "digits has no class 11: its classes are [0, 1, 2"),
        ("data.digits.classes", [1, 2, 3], "data.digits", "labels: sign needs exactly two classes"),
        # networks that cannot take the data, and what is made for another kind
        (f"{MAIN}.network", {"kind": "cnnn"}, f"{MAIN}.network.kind", "did you mean 'cnn'?"),
        (f"{MAIN}.network", {"kind": "cnn", "width": 8}, f"{MAIN}.network.width", "is not an option"),
        (f"{MAIN}.init", {"scheme": "kaimnig"}, f"{MAIN}.init.scheme", "did you mean 'kaiming'?"),
        (f"{MAIN}.init", {"scheme": "kaiming"}, MAIN, "kaiming is for kinds of network other than mlp"),
        # names of other things
        (f"{MAIN}.data", "digit", f"{MAIN}.data", "'digit' is no data recipe (did you mean 'digits'?)"),
        ("run", ["qestion"], "run", "'qestion' is no study (did you mean 'question'?)"),
        ("run", "qestion", "run", "'qestion' is no study (did you mean 'question'?)"),
        (
            "studies.question.figures",
            {"eror_vs_scale": {"block": "main"}},
            "studies.question.figures.eror_vs_scale",
            "'eror_vs_scale' is no kind of figure (did you mean 'error_vs_scale'?)",
        ),
        (
            "studies.question.figures.error_vs_scale",
            {"block": "mian"},
            "studies.question.figures.error_vs_scale.block",
            "'mian' is no block of the study (did you mean 'main'?)",
        ),
        (
            "studies.question.figures.error_vs_scale",
            {},
            "studies.question.figures.error_vs_scale",
            "say which block it draws: main, other",
        ),
        (
            "studies.question.figures",
            {"dose": {"kind": "bad_minima.drop_vs_dose", "block": "main"}},
            "studies.question.figures.dose.beside",
            "is missing: bad_minima.drop_vs_dose draws 2 blocks",
        ),
        (
            "studies.question.figures",
            {"pairs": {"kind": "accuracy_pairs", "block": "main", "beside": "other"}},
            "studies.question.figures.pairs.beside",
            "accuracy_pairs draws 1 block, not 2",
        ),
        ("studies.My-Study", {}, "studies.My-Study", "names are lower case"),
        (
            "data.digits",
            {"source": "file", "path": "a.csv", "sha256": "abc"},
            "data.digits.sha256",
            "should be the 64 digits that sha256sum prints, not 'abc'",
        ),
    ],
)
def test_a_mistake_is_told_with_its_path_and_mend(path, value, at, says):
    config = CONFIG
    keys = path.split(".")
    if keys[-2:] == ["init", "scale"]:  # not in the config above
        config = changed(config, keys[:-1], {})
    told = mistakes(changed(config, keys, value))
    assert any(mistake.startswith(f"{at}: ") and says in mistake for mistake in told), told


@pytest.mark.parametrize("name", SHARED_FOLDERS)
def test_no_study_takes_the_name_of_a_shared_folder(name):
    config = changed(CONFIG, ["studies", name], CONFIG["studies"]["question"])
    assert any(m.startswith(f"studies.{name}: is the name of a folder") for m in mistakes(config))


def test_all_mistakes_are_told_at_once():
    """Of form, of reference, of a grid and of a study that is not to run."""
    config = CONFIG | {"rnu": 1}
    config = changed(config, ["data", "digits", "train_size"], 0)
    config = changed(config, ["studies", "question", "blocks", "other", "axes"], {"init.scale": []})
    config = changed(config, ["studies", "second"], {"blocks": {"main": {"data": "nothing"}}})
    with pytest.raises(ConfigError, match="4 mistakes") as caught:
        Plan(config)
    for path in (
        "rnu",
        "data.digits.train_size",
        "studies.question.blocks.other.axes.init.scale",
        "studies.second.blocks.main.data",
    ):
        assert f"\n  {path}: " in str(caught.value)
    assert "config/README.md" in str(caught.value)


def test_a_malformed_section_does_not_hide_the_mistakes_of_the_others():
    """And an axis over it is left for the next time: what its block says is not known."""
    config = changed(CONFIG, [*MAIN.split("."), "optimizer"], {"name": "heavy_ball", "momentun": 0.5})
    axes = {"network.width": [-8], "optimizer.momentum": [0.5, 0.9]}
    config = changed(config, [*MAIN.split("."), "axes"], axes)
    assert [mistake.split(": ")[0] for mistake in mistakes(config)] == [
        f"{MAIN}.optimizer.momentun",
        f"{MAIN}.axes.network.width",
    ]


def test_each_mistake_is_told_once():
    told = mistakes(changed(CONFIG, ["data", "digits", "train_size"], 4000))
    assert len(told) == 1, told


def test_a_file_in_the_place_of_the_results_folder_is_refused(tmp_path):
    (tmp_path / "results").write_text("a file")
    for folder in ("results", "results/smoke"):
        with pytest.raises(ConfigError, match=r"results: the folder .* cannot be written"):
            check_writable(tmp_path / folder)
    check_writable(tmp_path / "other")
    assert not (tmp_path / "other").exists(), "only looked at"


# Odd shapes: whatever stands where, the answer is a ConfigError or a plan.

ODD = (None, [1], 3, "word", {})
ODDER = (
    *(True, -1, 2.5, float("nan"), ""),
    *([], [None], [1, "a"], [[1]], [{}]),
    *({"a": 1}, {1: 2}, {None: None}, {"start": 1, "count": 2}, {"name": []}),
)


def nodes(config, path=()):
    yield path
    inside = (
        config.items() if isinstance(config, dict) else enumerate(config) if isinstance(config, list) else ()
    )
    for key, value in inside:
        yield from nodes(value, (*path, key))


def drawn_from(figure):
    beside = figure.get("beside", [])
    return {figure["block"], *([beside] if isinstance(beside, str) else beside)}


def default_config():
    """Of every study one block, and one replication, as the others have the same form; studies are under
    other names than their folders'."""
    config = lay(yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))).config
    studies = {}
    for name, study in config["studies"].items():
        kept = dict(list(study["blocks"].items())[:1])
        drawn = {
            figure: how | {"kind": f"{name}.{kind}"}
            for figure, how in study["figures"].items()
            if drawn_from(how) <= set(kept)
            and f"{name}.{(kind := how.get('kind', figure))}" in known_figures("")
        }
        studies[f"{name}_again"] = study | {"blocks": kept, "figures": drawn}
    # YAML's aliases become nodes of their own
    one = dict(list(config["replications"].items())[:1])
    return json.loads(json.dumps(config | {"studies": studies, "run": [*studies], "replications": one}))


@pytest.mark.parametrize(
    ("config", "odd"),
    [pytest.param(CONFIG, ODD + ODDER, id="every form"), pytest.param(default_config(), ODD, id="default")],
)
def test_odd_shapes_never_crash(config, odd):
    crashes = []
    for path in nodes(config):
        for value in odd:
            try:
                Plan(changed(config, path, value))
            except ConfigError:
                pass
            except Exception as error:
                crashes.append(f"{path} = {value!r}: {error!r}")
    assert not crashes, "\n".join(crashes[:20])


CNN = yaml.safe_load("""
data:
  digits: {source: digits, train_size: 20, test_size: 20, labels: onehot}
  wine: {source: wine, train_size: 20, test_size: 20, labels: onehot}
studies:
  question:
    blocks:
      main:
        data: digits
        network: {kind: cnn}
        loss: cross_entropy
        optimizer: {name: sgd, lr: 0.1, batch_size: 5}
""")


def test_a_block_of_modules_has_the_defaults_of_its_kind():
    """float32, kaiming and no predictors; what it says itself counts."""
    (cell,) = Plan(CNN).cells.values()
    assert (cell["dtype"], cell["init"]["scheme"], cell["predict"]) == ("float32", "kaiming", [])
    said = changed(CNN, MAIN.split("."), CNN["studies"]["question"]["blocks"]["main"] | {"dtype": "float64"})
    said = changed(said, [*MAIN.split("."), "init"], {"scale": 2})
    said = changed(said, [*MAIN.split("."), "axes"], {"network.kind": ["cnn", "resnet18", "vgg16"]})
    for cell in Plan(said).cells.values():
        assert (cell["dtype"], cell.written("init")) == ("float64", '{"scale":2.0,"scheme":"kaiming"}')


@pytest.mark.parametrize(
    ("section", "value", "says"),
    [
        ("data", "wine", "network.kind: cnn needs images, and the data are rows of 13 numbers"),
        ("init", {"scheme": "gaussian"}, "cnn has kaiming and torch_default"),
        ("optimizer", {"name": "flow"}, "optimizer: flow integrates loss: mse, not cross_entropy"),
        ("predict", ["decayed"], "predict: decayed is about loss: mse"),
    ],
)
def test_what_a_module_cannot_do_is_refused(section, value, says):
    told = mistakes(changed(CNN, [*MAIN.split("."), section], value))
    assert any(mistake.startswith(f"{MAIN}: ") and says in mistake for mistake in told), told


def test_kernels_of_wide_networks_are_of_fully_connected_ones():
    """RBF regression goes with any."""
    study = ["studies", "question", "references"]
    assert Plan(changed(CNN, study, {"rbf": {}})).reference_fits
    told = mistakes(changed(CNN, study, {"ntk": {}}))
    assert any("the reference ntk needs network.kind: mlp, not cnn" in mistake for mistake in told), told


def test_a_block_may_go_without_the_references_of_its_study():
    """A convolutional net beside fully connected ones, of which alone the wide limit's kernel is known."""
    config = {
        "run": ["both"],
        "data": {"images": {"source": "digits", "classes": [3, 8], "train_size": 10, "test_size": 10}},
        "studies": {
            "both": {
                "blocks": {
                    "wide": {"data": "images", "network": {"width": 8}},
                    "images": {"data": "images", "network": {"kind": "cnn"}, "references": False},
                },
                "references": {"ntk": {}},
            }
        },
    }
    plan = Plan(config)
    assert [fit.activation for fit in plan.reference_fits.values()] == ["relu"]
    assert plan.config.studies["both"].references_of("images") == {}
    del config["studies"]["both"]["blocks"]["images"]["references"]
    with pytest.raises(ConfigError, match="the reference ntk needs"):
        Plan(config)
