"""Estimands of the study `alignment` (arXiv:2307.12851): where neurons turn before the loss falls, and
when.

Each estimand takes a study's dataset and returns a number per seed. Times are those of the paper's flow,
in units of 1/‖x₊‖ where it is said. A network that did not get as far as is asked has no number.
"""

import numpy as np
import xarray as xr

from minima.findings.samples import Selection, most_per_seed, node_of, per_seed
from minima.findings.stats import NotEstimable, Sample
from studies.alignment.quantities import (
    COSINE,
    COSINES,
    FLIPPED,
    LIVE,
    RIGHT,
    SEERS,
    WRONG,
    alignment_end,
    along,
    at_loss,
    at_step,
    class_sum,
    crossing,
    entry,
    entry_of_all,
    half_scale,
    late_share,
    one_number,
    paper_loss,
    relative_loss,
    time_per_step,
)


def caught(
    tree: xr.DataTree, block: str, loss: float | None = None, live: bool = False, select: Selection = None
) -> Sample:
    """`caught` returns the share of neurons in the cone of their own class when max |f| is ¼, or where
    the loss is `loss` times its start: of those that saw a point of their class at the start, or of all
    `live` ones."""
    trained = node_of(tree, "trained", block, select)
    return _sample(_at(entry(trained, "own_cone", LIVE if live else SEERS), trained, loss))


def wrong_changes(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`wrong_changes` returns the share of neurons × points at which a neuron does not see a point of its
    class that it saw at the start, or sees one of the other that it did not: the largest of a seed's
    recorded steps and networks."""
    found = entry(node_of(tree, "trained", block, select), "wrong_changes", WRONG)
    return most_per_seed(found)


def clock_slope(
    tree: xr.DataTree, block: str, axis: str, inverse: bool = False, entered: bool = False
) -> Sample:
    """`clock_slope` returns the slope of t₂‖x₊‖ in the logarithm of what is on an axis, or of its
    inverse; of t₁‖x₊‖ where neurons have `entered`. Whole curves of a seed are the units."""
    trained = node_of(tree, "trained", block, None)
    x = np.log(along(trained, axis))
    return _slope(_times(trained, entered) * class_sum(trained), -x if inverse else x, axis)


def entry_slope(
    tree: xr.DataTree, block: str, largest: float = np.inf, logarithms: bool = False, select: Selection = None
) -> Sample:
    """`entry_slope` returns the slope of t₁, or of its logarithm, in log(1/μ), over the μ up to `largest`."""
    trained = node_of(tree, "trained", block, select)
    trained = trained.isel(cosine=along(trained, "cosine") <= largest)
    times = _times(trained, entered=True)
    return _slope(np.log(times) if logarithms else times, -np.log(along(trained, "cosine")), "cosine")


def late_entries(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`late_entries` returns the share that enters the cone of its class until the last recorded step, of
    the neurons that saw a point of their class at the start and were not in its cone then."""
    share = entry(node_of(tree, "trained", block, select), "own_cone", SEERS)
    return _sample(late_share(share.isel(step=0), share.isel(step=-1)))


def catching_slope(tree: xr.DataTree, block: str, loss: float) -> Sample:
    """`catching_slope` returns the log-log slope in μ of the ε at which half of the late neurons are in
    the cone of their class where the loss is `loss` times its start."""
    trained = node_of(tree, "trained", block, None)
    return _slope(np.log(half_scale(trained, loss)), np.log(along(trained, "cosine")), "cosine")


def signs(tree: xr.DataTree, block: str, right: bool = False, select: Selection = None) -> Sample:
    """`signs` returns the share of output weights that changed sign until max |f| is ¼, or of those whose
    sign is the `right` one, that of v + g at the start."""
    trained = node_of(tree, "trained", block, select)
    return _sample(_at(entry(trained, "output_signs", RIGHT if right else FLIPPED), trained))


def tail_slope(tree: xr.DataTree, block: str, since: float, until: float, select: Selection = None) -> Sample:
    """`tail_slope` returns the log-log slope of the loss in t, over the recorded steps with t from `since` to
    `until`."""
    trained = node_of(tree, "trained", block, select)
    times = time_per_step(trained) * trained.step
    inside = (times >= since * (1 - 1e-9)) & (times <= until * (1 + 1e-9))
    if (inside.sum("step") < 3).any() or (times.max("step") < until * (1 - 1e-9)).any():
        raise NotEstimable(f"fewer than three recorded steps with t from {since:g} to {until:g}")

    def slope(t: np.ndarray, y: np.ndarray, there: np.ndarray) -> float:
        return float(np.polyfit(np.log(t[there]), np.log(y[there]), 1)[0])

    each = [["step"]] * 3
    return _sample(xr.apply_ufunc(slope, times, trained.loss, inside, input_core_dims=each, vectorize=True))


def loss_left(tree: xr.DataTree, block: str, until: float, select: Selection = None) -> Sample:
    """`loss_left` returns the loss over that at the start, at the first recorded step with t at or after
    `until`."""
    trained = node_of(tree, "trained", block, select)
    step = until * (1 - 1e-9) / time_per_step(trained)
    return _sample(at_step(relative_loss(trained), step))


def over_bound(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`over_bound` returns the loss over its bound L(t₂)/(1 + αL(t₂)(t − t₂)), the largest over the
    recorded steps after t₂: L is the paper's sum, α = μ²/32 for points of norm 1."""
    trained = node_of(tree, "trained", block, select)
    step = alignment_end(trained)
    loss = paper_loss(trained)
    start = at_step(loss, step)
    cosine = one_number(trained, select, "data", "cosine")
    since = time_per_step(trained) * (trained.step - at_step(trained.step, step))
    bound = start / (1 + cosine**2 / 32 * start * since)
    return _sample((loss / bound).where(since > 0).max("step"))


def rank(tree: xr.DataTree, block: str, loss: float, select: Selection = None) -> Sample:
    """`rank` returns the stable rank of the first layer where the loss is `loss` times its start."""
    trained = node_of(tree, "trained", block, select)
    return _sample(_rank(trained, loss))


def rank_gap(tree: xr.DataTree, block: str, loss: float, select: Selection = None) -> Sample:
    """`rank_gap` returns the distance of that stable rank from 2/(1 + |c|), c = cos(x₊, x₋)."""
    trained = node_of(tree, "trained", block, select)
    return _sample(abs(_rank(trained, loss) - 2 / (1 + abs(class_sum(trained, COSINE)))))


def aligned(
    tree: xr.DataTree, block: str, loss: float, of: str = "median", select: Selection = None
) -> Sample:
    """`aligned` returns a cosine of live neurons with the x± of their class where the loss is `loss`
    times its start: the median, the least, or the mean weighted by energy."""
    trained = node_of(tree, "trained", block, select)
    return _sample(at_loss(entry(trained, "neuron_cosines", COSINES[of]), trained, loss))


def half_time(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`half_time` returns t‖x₊‖ when the loss is half of that at the start."""
    trained = node_of(tree, "trained", block, select)
    return _sample(_half(trained) * time_per_step(trained) * class_sum(trained))


def steps_over_published(tree: xr.DataTree, block: str, published: float, select: Selection = None) -> Sample:
    """`steps_over_published` returns the steps until the loss is half of that at the start over the
    published ones."""
    return _sample(_half(node_of(tree, "trained", block, select)) / published)


def _half(trained: xr.Dataset) -> xr.DataArray:
    return crossing(relative_loss(trained), 0.5, rising=False)


def _rank(trained: xr.Dataset, loss: float) -> xr.DataArray:
    return at_loss(trained.stable_rank_path.isel(layer=0, drop=True), trained, loss)


def _at(path: xr.DataArray, trained: xr.Dataset, loss: float | None = None) -> xr.DataArray:
    """`_at` returns a path's value when max |f| is ¼, or where the loss is this share of that at the
    start."""
    return at_step(path, alignment_end(trained)) if loss is None else at_loss(path, trained, loss)


def _times(trained: xr.Dataset, entered: bool) -> xr.DataArray:
    """`_times` returns t₁ or t₂."""
    return time_per_step(trained) * (entry_of_all if entered else alignment_end)(trained)


def _slope(curves: xr.DataArray, x: np.ndarray, axis: str) -> Sample:
    """`_slope` returns the least-squares slope of the mean curve along an axis in x; whole curves are the
    units."""
    if len(x) < 2:
        raise NotEstimable(f"a slope in {axis} needs two values of it")
    kept = per_seed(curves, np.isfinite(curves).all(axis), axis)

    def slope(units: np.ndarray) -> float:
        return float(np.polyfit(x, units.mean(axis=0), 1)[0])

    return kept.rebuilt(kept.values, slope)


def _sample(found: xr.DataArray) -> Sample:
    """`_sample` returns the seeds that have a number."""
    return per_seed(found, np.isfinite(found))
