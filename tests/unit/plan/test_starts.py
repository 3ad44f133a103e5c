"""Cells that start where others ended: found, refused, keyed and trained."""

import copy
from math import prod

import numpy as np
import pytest
import torch
import yaml
from tests.unit.engine.test_modules import SMALL, built
from torch import nn

from minima.data.files import save
from minima.data.prepare import prepared
from minima.engine.draws import gaussian, start
from minima.engine.ensemble import Ensemble
from minima.engine.inits import kaiming, matched, pretrained, torch_default
from minima.engine.networks.mlp import MLP
from minima.engine.networks.module import ModuleNet
from minima.findings.forecast import OTHER_START, forecast
from minima.jobs import pack_file
from minima.jobs.train_pack import train_pack
from minima.plan.cost import cell_cost
from minima.plan.fingerprint import code_used, training_modules
from minima.plan.mistakes import ConfigError
from minima.plan.turns import seconds_behind
from minima.plan.workplan import Plan

CONFIG = yaml.safe_load("""
claims: null
data:
  digits: &digits {source: digits, train_size: 12, test_size: 8, labels: onehot, normalize: range}
  confused: {<<: *digits, confusion: {copies: 2, zeroed: 0.2}}
studies:
  question:
    blocks:
      before: &before
        data: confused
        network: {kind: cnn, channels: [2, 3, 4], hidden: 5, batch_norm: true}
        loss: cross_entropy
        optimizer: {name: sgd, lr: 0.1, batch_size: 4}
        stop: {max_steps: 12}
        keep_parameters: true
        axes: {data.confusion.copies: [1, 2]}
        seed: {start: 0, count: 2}
      after:
        <<: *before
        data: digits
        axes:
          init:
            random: {scheme: kaiming}
            bad: {scheme: pretrained, from: before, select: {copies: 2}}
          optimizer.lr: [0.1, 0.05]
""")
STUDY = CONFIG["studies"]["question"]


def changed(block="after", **fields):
    config = copy.deepcopy(CONFIG)
    config["studies"]["question"]["blocks"][block] |= fields
    return config


def cells_of(config, block="after"):
    return Plan(config).blocks_of("question")[block].cells


def mistakes(config):
    with pytest.raises(ConfigError) as caught:
        Plan(config)
    return [str(mistake) for mistake in caught.value.mistakes]


# The plan


def test_a_cell_starts_from_the_cell_of_its_seed():
    before = cells_of(CONFIG, "before")
    random, bad = cells_of(CONFIG)[:4], cells_of(CONFIG)[4:]
    assert all(cell.start is None for cell in random)
    chosen = [cell for cell in before if cell["data"]["confusion"]["copies"] == 2]
    assert [cell.start.digest for cell in bad] == [cell.digest for cell in (*chosen, *chosen)]
    assert [cell.start["seed"] for cell in bad] == [cell["seed"] for cell in bad]


def test_regimes_share_their_start_and_cells_that_differ_in_it_a_pack():
    plan = Plan(CONFIG)
    bad = cells_of(CONFIG)[4:]
    assert len({cell.start.digest for cell in bad}) == 2
    assert len({cell.group for cell in bad}) == 1
    (pack,) = {name for name, pack in plan.packs.items() if bad[0].digest in [c.digest for c in pack.cells]}
    packs = {cell.digest: name for name, pack in plan.packs.items() for cell in pack.cells}
    assert plan.starts_of(pack) == sorted({packs[cell.start.digest] for cell in bad})
    assert not plan.starts_of(plan.starts_of(pack)[0])


def test_what_others_start_from_is_trained_before_what_takes_as_long():
    plan = Plan(CONFIG)
    behind = seconds_behind(plan)
    for name, pack in plan.packs.items():
        seconds = behind[name]
        after = [other for other in plan.packs if name in plan.starts_of(other)]
        longest = max((behind[other] for other in after), default=0)
        assert seconds == pytest.approx(pack.cost.seconds + longest)
    assert any(map(plan.starts_of, plan.packs))


def test_what_the_start_depends_on_is_part_of_the_cell_and_its_name_is_not():
    digests = [cell.digest for cell in cells_of(CONFIG)]
    renamed = yaml.safe_load(yaml.safe_dump(CONFIG, sort_keys=False).replace("before", "earlier"))
    assert [cell.digest for cell in cells_of(renamed)] == digests
    other = [cell.digest for cell in cells_of(changed("before", stop={"max_steps": 13}))]
    assert [a == b for a, b in zip(digests, other, strict=True)] == [True] * 4 + [False] * 4


def test_a_start_may_start_from_another():
    config = changed(
        "after", axes={}, init={"scheme": "pretrained", "from": "before", "select": {"copies": 1}}
    )
    blocks = config["studies"]["question"]["blocks"]
    blocks["last"] = blocks["after"] | {"init": {"scheme": "pretrained", "from": "after"}}
    config["studies"]["question"]["blocks"] = dict(reversed(blocks.items()))
    (cell, _) = cells_of(config, "last")
    assert cell.start.start["data"]["confusion"]["copies"] == 1


def test_of_several_networks_and_sources_the_start_is_the_cells_own():
    """One block per phase for a table of networks × data; what they do not share is still to be named."""
    table = {
        "network": {"plain": {"kind": "cnn"}, "norm": {"kind": "cnn", "batch_norm": True}},
        "data.source": ["digits", "cifar10"],
    }
    config = changed("before", network={"kind": "cnn"}, axes=table | {"data.confusion.copies": [1, 2]})
    data = {"train_size": 12, "test_size": 8, "labels": "onehot"}
    config["data"] = {"digits": {"source": "digits"} | data}
    config["data"]["confused"] = config["data"]["digits"] | {"confusion": {"copies": 2, "zeroed": 0.2}}
    after = config["studies"]["question"]["blocks"]["after"] | {
        "network": {"kind": "cnn"},
        "init": {"scheme": "pretrained", "from": "before", "select": {"copies": 2}},
        "axes": {"data.source": ["cifar10", "digits"], "network": dict(reversed(table["network"].items()))},
    }
    config["studies"]["question"]["blocks"]["after"] = after
    cells = cells_of(config)
    assert len(cells) == 2 * 2 * 2
    for cell in cells:
        assert cell.start["data"]["source"] == cell["data"]["source"]
        assert cell.start["network"] == cell["network"]
        assert cell.start["data"]["confusion"]["copies"] == 2
    del after["init"]["select"]
    assert "say which copies of block before" in mistakes(config)[0]


def test_no_pack_waits_for_itself():
    """Cells alike in all but their start, one of which starts from the other, are of different packs."""
    start = {"scheme": "pretrained", "from": "before", "select": {"copies": 1}}
    config = changed("after", axes={}, keep_parameters=True, init=start)
    blocks = config["studies"]["question"]["blocks"]
    blocks["last"] = blocks["after"] | {"init": {"scheme": "pretrained", "from": "after"}}
    plan = Plan(config)
    for pack in plan.packs:
        assert pack not in plan.starts_of(pack)
    assert len(plan.packs) == 3, "one after the other"


def test_the_place_of_a_start_may_be_an_axis():
    config = changed(init={"scheme": "pretrained", "from": "before"}, axes={"init.select.copies": [1, 2]})
    grid = Plan(config).blocks_of("question")["after"]
    assert [axis.dimension for axis in grid.axes] == ["copies", "seed"]
    assert [cell.start["data"]["confusion"]["copies"] for cell in grid.cells] == [1, 1, 2, 2]


def test_a_start_with_a_mistake_of_its_own_is_not_told_to_be_no_block():
    (told,) = mistakes(changed("before", data="nothing"))
    assert told.startswith("studies.question.blocks.before.")


PRETRAINED = {"scheme": "pretrained", "from": "before", "select": {"copies": 2}}


@pytest.mark.parametrize(
    ("block", "fields", "says"),
    [
        (
            "after",
            {"init": PRETRAINED | {"from": "befor"}},
            "init.from: 'befor' is no block of the study (did",
        ),
        (
            "after",
            {"init": PRETRAINED | {"select": {}}},
            "init.select: say which copies of block before: 1, 2",
        ),
        (
            "after",
            {"init": PRETRAINED | {"select": {"copies": 5}}},
            "init.select.copies: '5' is no copies of",
        ),
        (
            "after",
            {"init": PRETRAINED | {"select": {"copies": 2, "widht": 1}}},
            "init.select: 'widht' is no axis of block before",
        ),
        ("after", {"init": PRETRAINED | {"from": "after"}}, "'after' starts from this block itself"),
        ("after", {"init": PRETRAINED, "seed": 7}, "init: '7' is no seed of block before"),
        ("after", {"init": PRETRAINED, "network": {"kind": "cnn"}}, "block before: has another network"),
        ("after", {"init": PRETRAINED | {"scale": 2}}, "init.scale: 'scale' is not an option"),
        ("after", {"init": {"scheme": "pretrained"}}, "init.from: is missing"),
    ],
)
def test_a_start_that_cannot_be_is_refused(block, fields, says):
    told = mistakes(changed(block, axes={}, **fields))
    assert any(says in mistake for mistake in told), told


def test_under_mup_a_start_needs_an_optimizer_of_the_same_kind():
    """The same tensors are other weights under gradient descent and under Adam."""
    network = STUDY["blocks"]["before"]["network"] | {"parametrization": "mup", "base": {"hidden": 2}}
    for name, refused in (("sgd", False), ("heavy_ball", False), ("adam", True)):
        config = changed("before", network=network)
        optimizer = {"name": name, "lr": 0.1, "batch_size": 4}
        config["studies"]["question"]["blocks"]["after"] |= {"network": network, "optimizer": optimizer}
        if refused:
            assert any("mup scales the same tensors otherwise" in mistake for mistake in mistakes(config))
        else:
            assert Plan(config).cells


def test_a_block_that_others_start_from_keeps_its_parameters():
    told = mistakes(changed("before", keep_parameters=False))
    assert any("block before: needs keep_parameters: true" in mistake for mistake in told), told


def test_rows_of_another_shape_are_refused():
    config = changed(axes={}, init=PRETRAINED)
    config["data"]["digits"] |= {"classes": [1, 2, 3]}
    assert any("rows of another shape, or another number of outputs" in told for told in mistakes(config))


# Training


def run(config, folder, packs=None):
    """Runs the jobs of a config in the order of their starts; pack name → its file."""
    plan, done = Plan(config), {}
    for file in plan.data_files.values():
        save(prepared(file.recipe, file.splits, "."), folder / f"{file.name}.nc")
    for name in sorted(plan.packs, key=lambda name: len(plan.starts_of(name))):
        done[name] = folder / f"{name}.nc"
        train_pack(
            plan.packs[name].cells,
            {data: folder / f"{data}.nc" for data in plan.data_of(name)},
            folder / "store",
            done[name],
            "cpu",
            reuse="same_code",
            starts=[done[start] for start in plan.starts_of(name)],
        )
    return done


def by_cell(files):
    """Cell digest → its row, of all packs."""
    found = {}
    for path in files.values():
        for part in pack_file.read(path):
            found |= {digest: part.isel(cell=row) for row, digest in enumerate(part.cell.values.tolist())}
    return found


def test_the_whole_state_carries_over_and_keys_follow(tmp_path):
    """A cell begins where its start ended, on points that both have: batch normalization's statistics too."""
    found = by_cell(run(CONFIG, tmp_path))
    for cell in cells_of(CONFIG)[4:]:
        values, start = found[cell.digest], found[cell.start.digest]
        np.testing.assert_allclose(values.start_test, start.test, rtol=1e-5, atol=1e-6)
        assert str(values.start.values) == str(start.key.values)
        assert not np.allclose(values.test, start.test)
    random = found[cells_of(CONFIG)[0].digest]
    assert str(random.start.values) == "none"


def test_a_changed_start_trains_what_hangs_on_it_and_the_forecast_knows(tmp_path, caplog):
    config = CONFIG | {"results": str(tmp_path)}
    plan = Plan(config)
    assert forecast(plan).studies["question"] == {"new": 12}
    caplog.set_level("INFO", "minima")
    run(config, tmp_path)
    assert forecast(plan).studies["question"] == {"cached": 12}
    other = copy.deepcopy(config)
    other["studies"]["question"]["blocks"]["before"]["stop"] = {"max_steps": 13}
    expected = forecast(Plan(other))
    assert expected.studies["question"] == {"cached": 4, "changed": 8}
    assert expected.reasons["question"] == {"stop.max_steps 12 → 13": 4, OTHER_START: 4}
    caplog.clear()
    run(other, tmp_path)
    assert caplog.text.count("after 13 steps") == 4
    assert caplog.text.count("after 12 steps") == 4


def test_a_start_of_another_size_is_an_error_that_says_so():
    with pytest.raises(
        ValueError, match=r"has 3 parameters, and this one \d+: both blocks need the same net"
    ):
        pretrained.start(built(SMALL), {"state": np.zeros(3)}, 0)


def test_a_cell_that_starts_elsewhere_costs_as_much():
    random, bad = cells_of(CONFIG)[0], cells_of(CONFIG)[4]
    assert cell_cost(random) == cell_cost(bad)


# Random starts as large as a trained network


@pytest.mark.parametrize("match", ["norm", "path_norm"])
def test_a_matched_start_is_the_random_one_times_a_factor(match):
    """Of batch normalization, whose constants no scheme scales, nothing is multiplied."""
    model = built(SMALL | {"batch_norm": True})
    other = [3 * weight for weight in start(torch_default, model, {"scale": 0.5}, 1)]
    options = {"draw": "kaiming", "match": match, "state": np.concatenate([w.ravel() for w in other])}
    found = matched.start(model, options, 7)
    random = start(kaiming, model, {"scale": 1.0}, 7)
    factors = []
    for entry, one, plain in zip(model.entries, found, random, strict=True):
        assert one.shape == plain.shape
        if entry.fan_in is None:
            np.testing.assert_array_equal(one, plain)
        else:
            factors += (one[plain != 0] / plain[plain != 0]).ravel().tolist()
    np.testing.assert_allclose(factors, factors[0], rtol=1e-10)
    assert abs(factors[0] - 1) > 0.05

    def size(weights):
        if match == "path_norm":
            return float(Ensemble(model).path_norms([torch.tensor(weight)[None] for weight in weights])[0, 1])
        return np.sqrt(sum((weights[i] ** 2).sum() for i in model.parameters))  # not running statistics

    assert size(found) == pytest.approx(size(other), rel=1e-10)


def test_without_biases_the_path_norm_is_matched_by_the_root_of_the_ratio():
    """Of H layers: c^H = ratio."""
    model = MLP((5, 7, 6, 2), "relu", "ntk")
    random = gaussian(model.weight_shapes, model.draw_stds, 3)
    state = np.concatenate([2.0 * random[0].ravel(), random[1].ravel(), random[2].ravel()])
    options = {"draw": "gaussian", "match": "path_norm", "state": state}
    for one, plain in zip(matched.start(model, options, 3), random, strict=True):
        np.testing.assert_allclose(one, 2 ** (1 / 3) * plain, rtol=1e-10)


def test_a_size_that_no_factor_gives_is_an_error_that_says_so():
    model = built(SMALL)
    state = np.zeros(sum(prod(shape) for shape in model.weight_shapes))
    with pytest.raises(ValueError, match="matched finds no factor between"):
        matched.start(model, {"draw": "kaiming", "match": "norm", "state": state}, 0)


MATCHED = PRETRAINED | {"scheme": "matched", "match": "norm"}


def test_a_matched_cell_starts_as_large_as_the_cell_that_it_names(tmp_path):
    config = changed(axes={"init": {"equal": MATCHED, "bad": PRETRAINED}})
    found = by_cell(run(config, tmp_path))
    equal, bad = cells_of(config)[:2], cells_of(config)[2:]
    for one, other in zip(equal, bad, strict=True):
        assert one.start == other.start
        assert one.group != other.group
        sizes = [np.linalg.norm(found[cell.digest].start_norm) for cell in (one, other)]
        assert sizes[0] == pytest.approx(sizes[1], rel=1e-6)
        assert not np.allclose(found[one.digest].start_test, found[other.digest].start_test)


def test_a_matched_cell_uses_the_code_of_the_scheme_that_draws():
    (cell, _) = cells_of(changed(axes={}, init=MATCHED | {"draw": "torch_default"}))
    used = code_used(training_modules(cell.values))
    assert {"minima.engine.inits.matched", "minima.engine.inits.torch_default"} <= set(used)
    assert "minima.engine.inits.kaiming" not in used


def test_a_matched_start_draws_what_its_kind_of_network_can_have():
    told = mistakes(changed(axes={}, init=MATCHED | {"draw": "gaussian"}))
    assert any("init: gaussian is for network.kind: mlp" in mistake for mistake in told), told


@pytest.mark.parametrize("match", ["norm", "path_norm"])
def test_a_matched_start_keeps_the_statistics_of_its_own_points(match):
    """With frozen statistics the factor changes what batch normalization sees, and so its statistics."""
    model = built(SMALL | {"batch_norm": True}).asked({"batch_norm": "frozen"}, lambda: None, None)
    x = np.random.default_rng(0).normal(size=(9, 64))
    state = np.concatenate([weight.ravel() for weight in start(kaiming, model, {"scale": 2.0}, 1, x)])
    found = matched.start(model, {"draw": "torch_default", "match": match, "state": state}, 7, x)
    f = model.alone([torch.tensor(weight[0]) for weight in found], torch.tensor(x))
    stacked = [torch.tensor(weight) for weight in found]
    model.module.train()
    expected = torch.func.functional_call(
        model.module,
        {e.name: w.reshape(e.shape) for e, w in zip(model.entries, stacked, strict=True)},
        (torch.tensor(x).view(-1, 1, 8, 8),),
    )
    torch.testing.assert_close(f, expected, rtol=1e-9, atol=1e-9)


def test_a_module_is_matched_by_its_own_start():
    def make():
        return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))

    model = ModuleNet.of(make, (3,))
    options = {"draw": "own", "match": "norm"}
    state = np.concatenate([5 * weight.ravel() for weight in model.own(1)])
    found = matched.start(model, options | {"state": state}, 7)
    assert sum((weight**2).sum() for weight in found) == pytest.approx((state**2).sum(), rel=1e-8)
    plain = model.own(7)
    np.testing.assert_array_equal(found[2], plain[2])
    assert (
        len({round(float((a / b).ravel()[0]), 8) for a, b in zip(found, plain, strict=True) if a.any()}) == 2
    )
