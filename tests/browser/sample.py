"""A report as a run of the built-in studies would give it; the numbers are made up."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from minima.findings.maps import NearestMap, Network, Place
from minima.findings.report import FigureEntry, StudySection

NO_CONTROL = {"outcome": "none", "reason": "the claim is an ordering; nothing to break it with"}
CAPTION = (
    "Lines: means over seeds; bands: 95 % t intervals. Networks that did not converge are left out; "
    "n counts the others."
)
PAPER = "2011.02408"
CITATION = (
    "Nonnenmacher, Reeb, Steinwart: Which Minimizer Does My Neural Network Converge To? arXiv:2011.02408"
)
FACTS = {
    "Config digest": "5f0c1b7e9a42d3860c7714e2b9d5a8f1",
    "Cells": "1240: 1221 converged, 12 stopped, 7 diverged, 0 missing",
    "Versions": "minima 0.1.0, torch 2.13.0, numpy 2.4.6, snakemake 9.27.1",
}

LINKS = {"init_size": "../workflow_scripts/minima/findings/estimands/init_size.py"}
MINIMIZERS = ["linearized", "ntk", "a third candidate of a long name"]
UNKNOWN = float("nan")


def networks(first: int, status: str, distance: float) -> list[Network]:
    """Ten networks of a place, or none that converged."""
    far = [distance, 0.31, 0.47] if status == "converged" else [None] * 3
    nearest = ("linearized" if distance < 0.05 else "none") if status == "converged" else status
    curve = [(step, 0.9 * 0.97**step) for step in range(0, 80, 2)]
    return [
        Network(f"{first + seed:016x}", f"{seed}", status, 78, nearest, far, curve)
        for seed in range(10 if status == "converged" else 1)
    ]


NEAREST = {
    "init_size": [
        NearestMap(
            "scale",
            "scale",
            "width",
            MINIMIZERS,
            [("linearized", 27), ("none", 2), ("diverged", 1)],
            [
                Place("", "1", "64", "linearized", 9, 10, "linearized", 0.04, networks(0, "converged", 0.04)),
                Place("", "3", "64", "none", 10, 10, "ntk", 0.31, networks(10, "converged", 0.4)),
                Place("", "3", "256", "diverged", 1, 0, "", None, networks(20, "diverged", UNKNOWN)),
            ],
        )
    ]
}


def claim(id: str, study: str, statement: str, verdict: str, **others: Any) -> dict[str, Any]:
    """A claim with every field; those not named are empty."""
    empty = {
        "published": "",
        "label": "ratio of the two",
        "source": "published",
        "interval": "t",
        "verdict_ours": None,
        "reason_ours": "",
        "p_holm": 0.01,
        "survives": True,
        "function": f"{study}.ratio",
        "estimate": None,
        "low": None,
        "high": None,
        "n": 10,
        "unit": "seed: data split and initialization",
        "region": "in [0.5, 2]",
        "reason": "",
        "control": NO_CONTROL,
        "paper": PAPER,
        "figures": [],
        "headline": False,
    }
    return {"id": id, "study": study, "statement": statement, "verdict": verdict} | empty | others


def control(outcome: str, statement: str, estimate: float, half: float, region: str) -> dict[str, Any]:
    """A control's outcome, its interval symmetric about the estimate."""
    return {
        "outcome": outcome,
        "statement": statement,
        "interval": "t",
        "estimate": estimate,
        "low": estimate - half,
        "high": estimate + half,
        "n": 10,
        "region": region,
        "reason": "",
    }


def part(depth: int, estimate: float, verdict: str) -> dict[str, Any]:
    """One of several numbers of a claim."""
    return {
        "label": f"slope of ‖(f₊ − f₋)/2‖ in σ over H, H = {depth}",
        "source": "ours",
        "interval": "t",
        "estimate": estimate,
        "low": estimate - 0.05,
        "high": estimate + 0.05,
        "n": 10,
        "region": "in [0.88, 1.12]",
        "verdict": verdict,
        "reason": "",
    }


CLAIMS = [
    claim(
        "init-1",
        "init_size",
        "Gradient descent reaches the NTK interpolant as the width grows",
        "supported",
        label="log-log slope of ‖net − lin‖/‖lin‖ against the width m, over four widths",
        estimate=-0.4817,
        low=-0.5612,
        high=-0.4029,
        region="in [-0.65, -0.3]",
        control=control("holds", "at σ = 2, distance to f_int alone", -0.0512, 0.061, "≥ -0.15"),
        figures=["distance_vs_width"],
        headline=True,
    ),
    claim(
        "init-2",
        "init_size",
        "The initialization's share of the function grows as σ^H and its error as σ^2H",
        "supported",
        label="slope of ‖(f₊ − f₋)/2‖ on σ over flipped pairs, divided by H",
        estimate=1.0132,
        low=0.9655,
        high=1.0609,
        region="in [0.88, 1.12]",
        control=control("holds", "centred initialization", 0.0021, 0.004, "in [-0.05, 0.05]"),
        parts=[part(2, 1.013, "supported"), part(3, 1.021, "supported"), part(4, 0.964, "supported")],
        figures=["share_vs_scale", "error_vs_scale"],
        headline=True,
    ),
    claim(
        "init-10",
        "init_size",
        "Shrinking the last layer alone leaves the interpolant as it is",
        "refuted",
        estimate=0.3416,
        low=0.2871,
        high=0.3961,
        region="in [0, 0.05]",
        control=control("fails", "σ = 1 for every layer", 0.061, 0.008, "in [0, 0.05]"),
        figures=["error_vs_scale", "left_out"],
    ),
    claim(
        "adapt-1",
        "adaptive",
        "AdaGrad's minimizer differs from gradient descent's",
        "inconclusive",
        label="distance between the nets over the larger of their two distances to the linearization",
        estimate=1.62,
        low=1.18,
        high=2.06,
        n=8,
        region="≥ 1.5",
        reason="the interval crosses the region's edge; two of ten seeds did not converge",
        control=control("holds", "gradient descent at η and η/2", 3.4e-9, 1.1e-9, "in [0, 1e-06]"),
        figures=["adagrad_distance"],
        headline=True,
    ),
    claim(
        "adapt-3",
        "adaptive",
        "Gradient descent and SGD reach the same minimizer",
        "supported",
        estimate=2.37e-7,
        low=1.02e-7,
        high=3.72e-7,
        region="in [0, 1e-05]",
        control=control("inconclusive", "AdaGrad in SGD's place", 1.2e-5, 0.4e-5, "≥ 1e-05"),
        figures=["adagrad_distance"],
    ),
    claim(
        "lin-7",
        "linear_nets",
        "The limit approaches the min-norm solution as h^(−1/2) at α = 1/2",
        "supported",
        paper="2105.06351",
        published="h^(−½); 0.78 at h = 500",
        estimate=-0.5031,
        low=-0.5214,
        high=-0.4848,
        n=25,
        region="in [-0.55, -0.45]",
        unit="curve",
        figures=["distance_to_min_norm"],
    ),
    claim(
        "lin-10",
        "linear_nets",
        "Wider networks need fewer iterations",
        "inconclusive",
        paper="2105.06351",
        n=0,
        reason="no cell of this claim was trained by this config",
        control={"outcome": "none", "reason": ""},
    ),
    claim(
        "bad-1",
        "bad_minima",
        "SGD reaches bad global minima from an adversarial start",
        "supported",
        paper="1906.02613",
        label="test accuracy lost against a random start, both at 100 % train accuracy, in points",
        estimate=20.62,
        low=18.51,
        high=24.33,
        region="≥ 10",
        control=control("holds", "pretraining on the true labels", 1.31, 1.9, "≤ 5"),
        figures=["drop_by_regime"],
        headline=True,
    ),
    claim(
        "bad-2",
        "bad_minima",
        "Regularization repairs it",
        "not asked",
        n=0,
        region="in [-3, 3]",
        reason="no images",
        control=control("not asked", "under weight decay alone", 0, 0, "≥ 5")
        | {"estimate": None, "low": None, "high": None, "n": 0, "reason": "no images"},
        p_holm=None,
        survives=None,
    ),
]


def studies(folder: Path) -> list[StudySection]:
    """The sections of CLAIMS, their pictures drawn into `folder`."""
    titles = {
        "init_size": "Does the size of the initialization change the minimizer?",
        "adaptive": "Do adaptive optimizers reach another minimizer?",
        "networks": "Where does the network itself go?",
        "linear_nets": "What do linear networks converge to?",
        "momentum": "How fast does momentum train?",
        "bad_minima": "Can SGD reach bad global minima?",
    }
    sections = []
    for name, title in titles.items():
        mine = [claim for claim in CLAIMS if claim["study"] == name]
        names = dict.fromkeys(figure for claim in mine for figure in claim["figures"] if figure != "left_out")
        figures = [
            FigureEntry(
                name=figure,
                caption=CAPTION,
                png=draw(folder / f"{name}_{figure}.png"),
                svg=f"{name}/figures/{figure}.svg",
                table=f"{name}/figures/{figure}.csv",
                script=f"../workflow_scripts/minima/findings/figures/{figure}.py",
                claims=[claim["id"] for claim in mine if figure in claim["figures"]],
            )
            for figure in names
        ]
        blocks = [
            (
                "scale",
                "digits_3_8, width 64, 256 × scale 0.5, 1, 1.5, 2, 3 × 10 seeds: 100 cells, all converged",
            )
        ]
        sections.append(
            StudySection(
                name,
                title,
                CITATION,
                f"{name}/dataset.nc",
                blocks,
                figures,
                NEAREST.get(name, []),
                "results/again/",
                "--configfile my.yaml",
            )
        )
    return sections


def draw(path: Path) -> Path:
    """A picture of the size and resolution that figures have."""
    figure = Figure(figsize=(8, 3.5), dpi=150)
    for axes in figure.subplots(1, 2):
        axes.plot([1, 2, 3], [3, 1, 2], marker="o")
    figure.savefig(path)
    return path
