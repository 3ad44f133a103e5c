"""A job imports what it needs and no more: to start is much of what the jobs of small networks take."""

import subprocess
import sys
from pathlib import Path

import pytest

import minima
from minima.plan import parts
from minima.plan.figures import known_figures
from minima.plan.register import known_estimands
from minima.plan.studies import estimand_module

PACKAGES = Path(minima.__file__).parents[1]
HEAVY = {"matplotlib", "pandas", "scipy", "sklearn", "torch", "xarray"}
JOBS = {  # what a rule's script imports, and the modules that its configs name → what they may load
    "prepare_data": (
        ["minima.jobs.prepare_data", *(f"minima.data.sources.{name}" for name in parts.names("sources"))],
        set(),
    ),
    "train_pack": (
        ["minima.jobs.train_pack"],
        {"xarray", "pandas"},
    ),  # torch where there is something to train
    "fit_reference": (
        [
            "minima.jobs.fit_reference",
            *(parts.module_name("references", kind) for kind in parts.names("references")),
        ],
        {"xarray", "pandas", "scipy"},
    ),
    "aggregate_study": (["minima.findings.dataset"], {"xarray", "pandas"}),
    "judge_study": (
        ["minima.findings.claims", *map(estimand_module, known_estimands())],
        {"xarray", "pandas", "scipy"},
    ),
    "snakemake, which runs all along": (["minima.console.console"], set()),
    "describe_study": (
        ["minima.findings.sections", "minima.findings.reporting"],
        {"xarray", "pandas", "scipy"},
    ),
    "draw_figures": (
        ["minima.findings.drawing", *known_figures("").values()],
        {"xarray", "pandas", "scipy", "matplotlib"},
    ),
}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_loads_no_package_that_it_does_not_need(job):
    modules, allowed = JOBS[job]
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], cwd=PACKAGES, text=True).split()
    assert HEAVY & set(loaded) <= allowed


def test_what_is_asked_in_a_notebook_is_loaded_when_it_is_asked_for():
    """Every job imports minima: its two functions for notebooks come by name, and no other."""
    code = "import sys, minima; print(*sys.modules); minima.which_minimizer; print(*sys.modules)"
    before, after = subprocess.check_output([sys.executable, "-c", code], cwd=PACKAGES, text=True).split(
        "\n"
    )[:2]
    assert not {*HEAVY, "numpy", "pydantic"} & {*before.split()}
    assert {"torch", "xarray"} <= {*after.split()}
    assert callable(minima.predict_minimizer)
    with pytest.raises(AttributeError, match="no attribute 'which_minimum'"):
        _ = minima.which_minimum
