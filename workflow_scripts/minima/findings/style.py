"""The look of every figure: colour-blind safe, readable in grey, one colour per predictor or optimizer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from PIL import Image

from minima.atomic import replacing


class Look(NamedTuple):
    """`Look` is colour, marker and dash of a series; each alone tells the series (Okabe and Ito's
    palette)."""

    colour: str
    marker: str
    dash: str


LOOKS = {
    "trained": Look("#0072B2", "o", "-"),
    "linearized": Look("#D55E00", "s", "--"),
    "interpolant": Look("#E69F00", "D", "-."),
    "centred": Look("#009E73", "^", "-"),
    "antisymmetric": Look("#CC79A7", "v", "-"),
    "random": Look("#0072B2", "o", "-."),
    "adversarial": Look("#D55E00", "s", "-"),
    "true_labels": Look("#009E73", "^", "-"),
    "true_copies": Look("#56B4E9", "v", "--"),
    "equal_norm": Look("#E69F00", "D", "-."),
    "equal_path_norm": Look("#CC79A7", "P", ":"),
    "infinite width": Look("#000000", "", ":"),
    "sgd": Look("#0072B2", "o", "-"),
    "adagrad": Look("#D55E00", "s", "-"),
    "adagrad to the averaged flow": Look("#009E73", "^", "--"),
    "network": Look("#0072B2", "o", "-"),
    "linearized network": Look("#D55E00", "s", "--"),
    "frozen kernel": Look("#D55E00", "s", "--"),
    "adaptive_flow": Look("#D55E00", "s", "--"),
    "network_flow": Look("#009E73", "^", "-."),
    "network_at_step": Look("#0072B2", "o", "-"),
}
SERIES = list(LOOKS.values())[:5]
GUIDE = {"color": "#666666", "linestyle": ":", "linewidth": 0.9}
RC = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.dpi": 150,
    "font.size": 9,
    "grid.alpha": 0.3,
    "legend.fontsize": "small",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "minima",  # the same figure gives the same bytes
}


@contextmanager
def styled() -> Iterator[None]:
    with mpl.rc_context(RC):
        yield


def panels(
    rows: int, columns: int, width: float = 3.2, height: float = 2.6, share: bool = True
) -> tuple[Figure, list[list[Axes]]]:
    """`panels` returns a figure and its panels; shared panels have one x axis per column and one y axis per
    row."""
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    sharing = {"sharex": "col", "sharey": "row"} if share else {}
    return figure, figure.subplots(rows, columns, squeeze=False, **sharing).tolist()


def line(axes: Axes, table: pd.DataFrame, look: Look, label: str) -> None:
    """`line` draws estimates over x with their intervals; the table has columns x, estimate, low, high."""
    colour, marker, dash = look
    table = table.sort_values("x")
    axes.plot(
        table.x,
        table.estimate,
        color=colour,
        marker=marker,
        linestyle=dash,
        markersize=4,
        linewidth=1.3,
        label=label,
    )
    if table.low.notna().any():  # an empty band would leave a logarithmic axis without limits
        axes.fill_between(table.x, table.low, table.high, color=colour, alpha=0.18, linewidth=0)


def looks_of(count: int) -> list[Look]:
    """`looks_of` returns `count` different looks, for series that have none of their own."""
    return [SERIES[i % len(SERIES)] for i in range(count)]


def shades(count: int) -> list[tuple[float, float, float, float]]:
    """`shades` returns the colours of ordered values, light to dark."""
    return [mpl.colormaps["viridis"](0.9 - 0.85 * i / max(count - 1, 1)) for i in range(count)]


class FewDecades(LogLocator):
    """Ticks at 1, 2 and 5 where they have room, else at powers of ten."""

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        self.set_params(subs=(1, 2, 5) if vmax < 500 * max(vmin, 1e-300) else (1,))
        return super().tick_values(vmin, vmax)


def log_y(axes: Axes) -> None:
    """A logarithmic y axis with enough labels where it spans less than a decade."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FewDecades())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def ticks_at(axes: Axes, values: Sequence[float]) -> None:
    """On a logarithmic x axis: ticks where the data are, in plain numbers."""
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.xaxis.set_minor_locator(NullLocator())


def number_of_seeds(table: pd.DataFrame) -> str:
    """`n = 10`, or the range where it differs between points."""
    least, most = int(table.n.min()), int(table.n.max())
    return f"n = {least}" if least == most else f"n = {least} to {most}"


def save(figure: Figure, path: str | Path) -> None:
    """`save` writes a figure; files hold no dates, so that their bytes repeat."""
    path = Path(path)
    with replacing(path) as temporary:
        if path.suffix == ".png":
            plain = BytesIO()
            figure.savefig(plain, format="png", pil_kwargs={"compress_level": 0})
            with Image.open(plain) as drawn:
                with_palette(drawn).save(temporary, format="png", optimize=True, dpi=drawn.info["dpi"])
        else:
            figure.savefig(temporary, format=path.suffix[1:], metadata={"Date": None})
    figure.set_layout_engine("none")  # laid out once, which takes longest, and the same in every file


def with_palette(picture: Image.Image, colours: int = 256) -> Image.Image:
    """`with_palette` returns a picture of at most so many colours, the nearest to its own: of a figure, whose
    colours are few but for the edges of lines and letters, a third of the bytes and nothing that is seen."""
    return picture.convert("RGB").quantize(colours, kmeans=1, dither=Image.Dither.NONE)


def ink_on(colour: Sequence[float]) -> str:
    """`ink_on` returns black or white, whichever can be read on this RGB colour."""
    luminance = sum(part * weight for part, weight in zip(colour, (0.3, 0.59, 0.11), strict=False))
    return "white" if luminance < 0.5 else "black"
