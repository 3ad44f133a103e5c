"""Test accuracy from random and from adversarial starts, regime by regime, every seed drawn."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.style import LOOKS, panels

CAPTION = (
    "Test accuracy of networks that start at random and of networks that start where SGD ended on "
    "random labels, by regime: optimizer, and image shifts in training. A line joins the two networks "
    "of a seed; hollow where one of them does not fit its training points."
)
STARTS = ("random", "adversarial")


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per regime, seed and start."""
    trained = tree[f"trained/{block}"].to_dataset()[["test_error", "train_error"]].load()
    regimes = [dim for dim in trained.test_error.dims if dim not in ("init", "seed")]
    if not regimes:
        trained, regimes = trained.expand_dims(regime=[block]), ["regime"]
    rows = []
    for place, here in trained.stack(place=regimes, create_index=True).groupby("place"):
        labels = dict(zip(regimes, place, strict=True)) if isinstance(place, tuple) else {regimes[0]: place}
        for seed in here.seed.values.tolist():
            for start in STARTS:
                one = here.sel(seed=seed, init=start).squeeze()
                accuracy = 100 * (1 - float(one.test_error))
                rows.append((_name(labels), seed, start, accuracy, float(one.train_error) == 0))
    return pd.DataFrame(rows, columns=["regime", "seed", "start", "estimate", "fits"])


def draw(table: pd.DataFrame) -> Figure:
    """A column per regime."""
    regimes = list(dict.fromkeys(table.regime))
    figure, ((ax,),) = panels(1, 1, width=max(3.2, 1.0 * len(regimes) + 1.2), height=3.2)
    table = table.assign(fits=table.fits.astype(str) == "True")
    for place, regime in enumerate(regimes):
        for _, pair in table[table.regime == regime].groupby("seed"):
            ends = [pair[pair.start == start].iloc[0] for start in STARTS]
            across = [place - 0.18, place + 0.18]
            ax.plot(across, [end.estimate for end in ends], color="#999999", linewidth=0.7, zorder=1)
            for x, start, end in zip(across, STARTS, ends, strict=True):
                look = LOOKS[start]
                face = look.colour if all(e.fits for e in ends) else "none"
                ax.scatter(x, end.estimate, s=16, marker=look.marker, edgecolors=look.colour, facecolors=face)
    for start in STARTS:
        ax.scatter(
            [], [], s=16, marker=LOOKS[start].marker, color=LOOKS[start].colour, label=f"{start} start"
        )
    ax.set_xticks(range(len(regimes)), regimes, rotation=30, ha="right")
    ax.set_ylabel("test accuracy, %")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _name(labels: dict[str, object]) -> str:
    """`momentum + shifts`, from the places on the axes."""
    words = [str(value) for dim, value in labels.items() if dim != "shift"]
    return " + ".join([*words, *(["shifts"] if labels.get("shift") else [])])
