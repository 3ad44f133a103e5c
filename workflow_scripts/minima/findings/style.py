"""How every figure looks: colour-blind safe, readable in grey, the same colour for the same thing."""

from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's palette; the marker says the same as the colour.
SERIES = {
    "trained": ("#0072B2", "o", "-"),
    "linearized": ("#D55E00", "s", "--"),
}
RC = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 150,
    "font.size": 9,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "minima",  # the same figure gives the same bytes
}


@contextmanager
def styled():
    with mpl.rc_context(RC):
        yield


def panels(
    rows: int, columns: int, width: float = 3.2, height: float = 2.6
) -> tuple[Figure, list[list[Axes]]]:
    """A figure of panels that share their x axis by column and their y axis by row."""
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex="col", sharey="row")
    return figure, axes.tolist()


def series(axes: Axes, kind: str, x: Sequence, middle: Sequence, low: Sequence, high: Sequence) -> None:
    """A line with its interval, in the colour, marker and dash of its kind."""
    colour, marker, dash = SERIES[kind]
    axes.plot(x, middle, color=colour, marker=marker, linestyle=dash, markersize=4, linewidth=1.3, label=kind)
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)


def save(figure: Figure, path: str | Path) -> None:
    """Written under a temporary name and renamed; without dates, so that the bytes repeat."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}")
    kind = path.suffix[1:]
    figure.savefig(temporary, format=kind, metadata={"Date": None} if kind == "svg" else {"Software": None})
    temporary.replace(path)
