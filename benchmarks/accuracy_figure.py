"""What benchmarks/accuracy.py measured: python benchmarks/accuracy_figure.py table | draw

table   prints the tables of docs/benchmarks.md: errors and prices of training and of predictors, and what it
        takes to come within .02 of the limit by either
draw    draws docs/accuracy_vs_cost.png

Errors and seconds are means over seeds.
"""

import gzip
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import log
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from matplotlib.figure import Figure  # noqa: E402

from minima.findings.style import GUIDE, Look, panels, save, styled  # noqa: E402

MEASURED = ROOT / "benchmarks" / "measured" / "accuracy.json.gz"
OPTIMIZERS = ("gd", "heavy_ball", "adagrad", "rmsprop", "adam")
NEAR = 0.02
STRIDES = "network_flow, growths falling"
LOOKS = {  # of each way of knowing; without a dash, points
    "training, a plain loop": Look("#0072B2", "o", "-"),
    "training, the engine": Look("#56B4E9", "v", "--"),
    STRIDES: Look("#009E73", "D", "-"),
    "network_flow, by itself": Look("#000000", "*", ""),
    "linearized": Look("#D55E00", "s", ""),
    "self_consistent": Look("#E69F00", "P", ""),
    "adaptive_flow": Look("#CC79A7", "^", ""),
}
Found = Mapping[str, Any]


def measured(path: Path = MEASURED) -> dict[tuple[str, int], Found]:
    """`measured` returns what is stored of every optimizer and width that is measured in full."""
    everything = json.loads(gzip.decompress(path.read_bytes()))
    found = {(key.split()[0], int(key.split()[1])): value for key, value in everything.items()}
    order = sorted(found, key=lambda key: (OPTIMIZERS.index(key[0]), key[1]))
    return {key: found[key] for key in order if "predicted" in found[key]}


def curve(found: Found, way: str) -> tuple[list[float], list[float]]:
    """`curve` returns seconds of training, by "engine" or "loop", and errors, at all rates but those of the
    limit."""
    steps, errors = (found[name][: found["shown"]] for name in ("steps", "errors"))
    return [found["seconds"][way] * fmean(each) for each in steps], [fmean(each) for each in errors]


def series(found: Found) -> dict[str, tuple[list[float], list[float]]]:
    """`series` returns seconds and errors of every way of knowing."""
    points = {
        "training, a plain loop": curve(found, "loop"),
        "training, the engine": curve(found, "engine"),
    }
    for row in found["predicted"]:
        own = "network_flow, by itself" if row["name"] == "network_flow" else row["name"]
        seconds, errors = points.setdefault(STRIDES if row["growth"] else own, ([], []))
        seconds.append(row["seconds"])
        errors.append(fmean(row["errors"]))
    return points


def to_come_near(seconds: Sequence[float], errors: Sequence[float]) -> tuple[str, float]:
    """`to_come_near` returns what training takes to be within NEAR of the limit, between the two rates around
    that; with "<" where the largest rate is nearer, with ">" where none is so near."""
    if errors[0] <= NEAR:
        return "<", seconds[0]
    for (before, far), (after, near) in pairwise(zip(seconds, errors, strict=True)):
        if near <= NEAR:
            return "", before * (after / before) ** (log(far / NEAR) / log(far / near))
    return ">", seconds[-1]


def trained(everything: Mapping[tuple[str, int], Found]) -> Iterator[str]:
    """`trained` yields the table of training."""
    yield "| optimizer | width | limit known to | error (steps) | gradient, µs | engine | loop |"
    yield "|---" * 7 + "|"
    for (optimizer, width), found in everything.items():
        _, errors = curve(found, "engine")
        pairs = zip(errors, map(fmean, found["steps"]), strict=False)
        falling = ", ".join(f"{error:.3f} ({steps:,.0f})" for error, steps in pairs)
        micro = [f"{1e6 * found['seconds'][name]:.0f}" for name in ("gradient", "engine", "loop")]
        yield f"| {optimizer} | {width} | {fmean(found['unsure']):.1g} | {falling} | {' | '.join(micro)} |"


def predicted(everything: Mapping[tuple[str, int], Found]) -> Iterator[str]:
    """`predicted` yields the table of predictors: error, and cost in gradients of the training set."""
    names = list(dict.fromkeys(name_of(row) for found in everything.values() for row in found["predicted"]))
    names.sort(key=lambda name: not name.isidentifier())  # growths last
    yield f"| optimizer | width | {' | '.join(names)} |"
    yield "|---" * (2 + len(names)) + "|"
    for (optimizer, width), found in everything.items():
        said = dict.fromkeys(names, "")
        for row in found["predicted"]:
            gradients = row["seconds"] / found["seconds"]["gradient"]
            said[name_of(row)] = f"{fmean(row['errors']):.3f} ({gradients:,.0f})"
        yield f"| {optimizer} | {width} | {' | '.join(said.values())} |"


def name_of(row: Found) -> str:
    """`name_of` returns what a way of predicting is called; a number is the growth of strides."""
    return row["name"] if row["growth"] is None else f"{row['growth']:g}"


def near(everything: Mapping[tuple[str, int], Found]) -> Iterator[str]:
    """`near` yields the table of what it takes to be within NEAR of the limit."""
    columns = (
        "optimizer",
        "width",
        "predictor",
        "error",
        "seconds",
        "loop",
        "engine",
        "×, loop",
        "×, engine",
    )
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for (optimizer, width), found in everything.items():
        good = [row for row in found["predicted"] if fmean(row["errors"]) <= NEAR]
        taken = [to_come_near(*curve(found, way)) for way in ("loop", "engine")]
        told = [f"{sign} {seconds:.2f}".strip() for sign, seconds in taken]
        if not good:
            yield f"| {optimizer} | {width} | – | – | – | {' | '.join(told)} | – | – |"
            continue
        best = min(good, key=lambda row: row["seconds"])
        told += [f"{sign} {seconds / best['seconds']:.1f}".strip() for sign, seconds in taken]
        price = f"{fmean(best['errors']):.3f} | {best['seconds']:.3f}"
        yield f"| {optimizer} | {width} | {name_of(best)} | {price} | {' | '.join(told)} |"


TABLES = (trained, predicted, near)


def figure_of(everything: Mapping[tuple[str, int], Found]) -> Figure:
    """`figure_of` returns error against cost, a row of panels for each optimizer and a column for each width.
    A dotted line is NEAR, a dashed one how well the limit is known."""
    rows, columns = (list(dict.fromkeys(key[part] for key in everything)) for part in (0, 1))
    figure, panes = panels(len(rows), len(columns), width=3.0, height=2.2)
    handles = {}
    for (optimizer, width), found in everything.items():
        axes = panes[rows.index(optimizer)][columns.index(width)]
        for way, points in series(found).items():
            colour, marker, dash = LOOKS[way]
            (handles[way],) = axes.plot(
                *points, color=colour, marker=marker, linestyle=dash or "none", markersize=4, linewidth=1.3
            )
        axes.axhline(NEAR, **GUIDE)
        axes.axhline(fmean(found["unsure"]), color="#666666", linestyle="--", linewidth=0.9)
        axes.set(xscale="log", yscale="log", title=f"{optimizer}, width {width}")
        one = found["seconds"]["gradient"]
        gradients = axes.secondary_xaxis("top", functions=(lambda s, g=one: s / g, lambda n, g=one: n * g))
        gradients.tick_params(labelsize="x-small")
    figure.supxlabel("CPU seconds; above each panel: gradients of the training set", fontsize="medium")
    figure.supylabel("distance from the limit of small steps on test points, relative", fontsize="medium")
    figure.legend(handles.values(), handles, loc="outside upper center", ncols=3)
    return figure


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["table"]:
            for table in TABLES:
                print(*table(measured()), "", sep="\n")
        case ["draw"]:
            with styled():
                save(figure_of(measured()), ROOT / "docs" / "accuracy_vs_cost.png")
        case _:
            sys.exit(__doc__)
