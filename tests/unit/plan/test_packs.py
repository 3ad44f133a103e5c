"""Packs: every cell in exactly one, within bounds, and hardly any moves when the grid changes."""

import pytest
from pydantic import TypeAdapter

from minima.plan.config import Block
from minima.plan.cost import Cost, cell_cost, cost_of
from minima.plan.grid import by_group, expand
from minima.plan.packs import SMALL, make_packs
from minima.plan.recipes import DataRecipe

recipe_of = TypeAdapter(DataRecipe).validate_python
RECIPE = recipe_of({"source": "digits", "classes": [3, 8], "train_size": 20, "test_size": 20})
NO_BOUND = 1e9


def cells(seeds, widths=(8, 16), scales=(1, 2), recipe=RECIPE):
    axes = {"network.width": list(widths), "init.scale": list(scales)}
    block = Block.model_validate({"data": "digits", "axes": axes, "seed": {"start": 0, "count": seeds}})
    return expand(block, {"digits": recipe}).cells


def seconds_of(number):
    """The bound that so many cells of the widest net reach."""
    widest = max(map(cell_cost, cells(1)), key=lambda cost: cost.own_seconds)
    return sum([widest] * number, Cost()).seconds


def members(packs):
    return {name: frozenset(cell.digest for cell in pack.cells) for name, pack in packs.items()}


@pytest.mark.parametrize("number", [1, 4, 10, 100, 10_000])
def test_every_cell_is_in_exactly_one_pack(number):
    """And a group that is divided shares its packs with no other."""
    grid = cells(50)
    packs = make_packs(grid, seconds_of(number), NO_BOUND)
    together = [cell.digest for pack in packs.values() for cell in pack.cells]
    assert sorted(together) == sorted(cell.digest for cell in grid)
    for pack in packs.values():
        groups = by_group(pack.cells)
        assert len(groups) == 1 or all(len(members) == 100 for members in groups.values())


def test_small_groups_on_data_of_one_source_share_a_job():
    """Its start takes seconds. Groups that are not small, or on data of another source, have their own."""
    grid = cells(2, widths=range(8, 40))
    one_pack = make_packs(grid, NO_BOUND, NO_BOUND)
    assert len(one_pack) == 1
    quarter = cost_of(grid).seconds / 4
    several = make_packs(grid, quarter / SMALL, NO_BOUND)
    assert 4 < len(several) < 16
    assert all(pack.cost.seconds <= quarter for pack in several.values())
    alike = cells(2, widths=range(30, 40))
    cheapest = min(cost_of(group).seconds for group in by_group(alike).values())
    alone = make_packs(alike, 0.95 * cheapest / SMALL, NO_BOUND)
    assert len(alone) == 10
    other_rows = cells(2, recipe=RECIPE.model_copy(update={"test_size": 10}))
    assert len(make_packs([*grid, *other_rows], NO_BOUND, NO_BOUND)) == 1
    moons = cells(2, recipe=recipe_of({"source": "moons", "train_size": 20, "test_size": 20}))
    assert len(make_packs([*grid, *moons], NO_BOUND, NO_BOUND)) == 2


def test_no_study_waits_for_the_small_groups_of_another():
    """What two studies ask for is trained once, in a pack of its own."""
    widths = {8: ["a"], 9: ["a"], 16: ["b"], 32: ["a", "b"]}
    grid = cells(2, widths=widths)
    asking = {cell.digest: widths[cell["network"]["width"]] for cell in grid}
    packs = make_packs(grid, NO_BOUND, NO_BOUND, asking).values()
    assert sorted(sorted({cell["network"]["width"] for cell in pack.cells}) for pack in packs) == [
        [8, 9],
        [16],
        [32],
    ]


def test_jobs_on_one_file_of_the_user_do_not_wait_for_another():
    own = [
        cells(2, recipe=recipe_of({"source": "file", "path": path, "train_size": 20, "test_size": 20}))
        for path in ("one.npz", "other.npz")
    ]
    assert len(make_packs([*own[0], *own[1]], NO_BOUND, NO_BOUND)) == 2


def test_one_group_after_the_other_takes_the_sum_of_their_times_and_the_larger_memory():
    narrow, wide = cells(3, widths=[8]), cells(3, widths=[16])
    both = cost_of([*narrow, *wide])
    assert both.seconds == pytest.approx(cost_of(narrow).seconds + cost_of(wide).seconds)
    assert both.memory_mb == max(cost_of(narrow).memory_mb, cost_of(wide).memory_mb)


def test_a_new_group_enters_one_pack_or_splits_it():
    """The other packs of small groups keep name, cells and digest."""
    grid = cells(1, widths=range(8, 40))
    bound = cost_of(grid).seconds / 4 / SMALL
    after = members(make_packs(grid, bound, NO_BOUND))
    for width in range(8, 40):
        before = members(make_packs([c for c in grid if c["network"]["width"] != width], bound, NO_BOUND))
        gone, come = before.items() - after.items(), after.items() - before.items()
        new = {cell.digest for cell in grid if cell["network"]["width"] == width}
        assert len(gone) <= 1
        assert frozenset().union(*(m for _, m in come)) == frozenset(new).union(*(m for _, m in gone))


def test_packs_keep_to_their_bounds():
    grid = cells(50)
    for seconds, megabytes in ((seconds_of(7), NO_BOUND), (NO_BOUND, 5 * cell_cost(grid[0]).memory_mb)):
        packs = make_packs(grid, seconds, megabytes)
        assert len(packs) > 10
        for pack in packs.values():
            assert len(pack.cells) == 1 or (pack.cost.seconds <= seconds and pack.cost.memory_mb <= megabytes)


def test_a_cell_beyond_the_bounds_is_a_pack_of_its_own():
    assert {len(pack.cells) for pack in make_packs(cells(3), 0.0, 0.0).values()} == {1}


def test_a_new_cell_enters_one_pack_or_splits_it():
    """The others keep name, cells and digest: their jobs do not run again."""
    grid, bound = cells(40), seconds_of(8)
    after = make_packs(grid, bound, NO_BOUND)
    entered = split = 0
    for new in grid:
        before = make_packs([cell for cell in grid if cell is not new], bound, NO_BOUND)
        old, now = members(before), members(after)
        gone, come = old.keys() - now.keys(), now.keys() - old.keys()
        altered = {name for name in old.keys() & now.keys() if old[name] != now[name]}
        for name in old.keys() & now.keys() - altered:
            assert before[name].digest == after[name].digest
        if gone:  # one pack became several, which together hold its cells and the new one
            split += 1
            assert len(gone) == 1
            assert not altered
            assert set().union(*(now[name] for name in come)) == old[gone.pop()] | {new.digest}
        else:
            entered += 1
            (name,) = altered or come
            assert now[name] - old.get(name, set()) == {new.digest}
    assert entered > split > 0


def test_membership_and_names_do_not_depend_on_the_order_of_cells_or_blocks():
    grid = cells(20)
    forward, backward = (make_packs(order, seconds_of(6), NO_BOUND) for order in (grid, grid[::-1]))
    assert members(forward) == members(backward)
    assert {pack.digest for pack in forward.values()} == {pack.digest for pack in backward.values()}


def test_the_same_cell_of_two_blocks_is_trained_once():
    packs = make_packs([*cells(2), *cells(3)], NO_BOUND, NO_BOUND)
    assert [len(pack.cells) for pack in packs.values()] == [12]


def test_names_say_what_is_in_a_pack_and_are_safe_as_paths():
    names = [
        *make_packs(cells(2), cost_of(cells(2)).seconds, NO_BOUND),
        *make_packs(cells(2), NO_BOUND, NO_BOUND),
    ]
    begin = ["digits_mlp2x8_gd", "digits_mlp2x16_gd", "digits_small"]
    assert sorted(name.rsplit("_", 1)[0] for name in names) == sorted(begin)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_") for name in names)
