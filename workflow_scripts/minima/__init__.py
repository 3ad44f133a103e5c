"""Minima: which minimizer does my network converge to?

    plan      what to run: config, grid of cells, packs, cost, fingerprint
    data      data recipes to arrays
    store     the cache of trained cells
    engine    how networks train
    theory    where they should end
    training  cells to trained cells: engine and theory, put together as a cell's fields say
    jobs      what a job does around that: store, data files, devices, journal, log
    findings  what was found: datasets, verdicts, figures, report, forecast
    which     the question asked of one network of yours, in a notebook
    console   what a person sees of a run: how far it is, what trains, verdicts as they fall

Each imports only those above it; forms, netcdf, streams and variables are shared
words that import none. `from minima import which_minimizer, predict_minimizer` loads
`which`, and only then: every job imports minima.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    if name not in ("which_minimizer", "predict_minimizer"):
        raise AttributeError(f"module 'minima' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module("minima.which.minimizer"), name)
