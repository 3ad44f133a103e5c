"""Do the effects of optimizer and initialization stay in narrow networks?"""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.curves import means
from minima.findings.functions import cosines
from minima.findings.lines import COLUMNS, Lines, at_zero
from minima.findings.measures import half_difference, rms
from minima.findings.style import LOOKS, Look, number_of_seeds

CAPTION = (
    "What is left of the effects in narrow networks, against the width: the cosine between AdaGrad's "
    "deviation from gradient descent and that of the linearized networks; the growth of the "
    "initialization's share ‖(f₊ − f₋)/2‖, in logarithm, and of the test error from the smallest to the "
    "largest σ; and the fraction of seeds whose networks all interpolate, by both optimizers and of the "
    "pairs f₊, f₋ at every σ. Above 0 (dotted) an effect has the sign that it has in wide networks. Points: "
    "means over seeds; bands: 95 % t intervals; networks that did not converge, or whose "
    "linearization did not, are left out, n counts the others."
)
SERIES = {"both optimizers": LOOKS["network"], "flipped pairs": Look("#009E73", "^", "-")}


def tabulate(tree: xr.DataTree, block: str, beside: str = "") -> pd.DataFrame:
    """One row per measure, block and width; `beside` names a block of flipped pairs over σ."""
    optimizers, pairs = SERIES
    good = tree[f"trained/{block}"].status == "converged"
    networks, linearized = (
        ({"source": source, "optimizer": "adagrad"}, {"source": source, "optimizer": "gd"})
        for source in ("trained", "linearized_trained")
    )
    curves = [("cosine of AdaGrad's deviation", optimizers, cosines(tree, block, networks, linearized))]
    interpolating = [("interpolating", optimizers, good.all("optimizer").astype(float))]
    if beside:
        trained = tree[f"trained/{beside}"].to_dataset()
        good = trained.status == "converged"
        share = np.log(rms(half_difference(trained.test.where(good))))
        error = trained.test_mse.where(good).mean("flip", skipna=False)
        curves += [
            (title, pairs, curve.isel(scale=-1) - curve.isel(scale=0))
            for title, curve in (("log growth of the share", share), ("growth of the test MSE", error))
        ]
        interpolating += [("interpolating", pairs, good.all(("scale", "flip")).astype(float))]
    rows = [
        (title, series, *mean)
        for title, series, curve in [*curves, *interpolating]
        for mean in means(curve.drop_vars(["scale", "optimizer"], errors="ignore"), "width")
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A panel per measure."""
    drawn = Lines(
        "width",
        "",
        panel="panel",
        series="series",
        look=SERIES.__getitem__,
        log="x",
        guide=at_zero,
        title=lambda name, here: f"{name}\n{number_of_seeds(here)}",
        legend_at={"loc": "lower right", "bbox_to_anchor": (1, 0.12)},
        width=2.7,
        share=False,
    )
    return drawn.draw(table)
