"""Prepare one data recipe: its splits as one netCDF file."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.jobs.prepare_data import prepare_data
    from minima.plan.workplan import Plan

    plan = Plan(snakemake.config).at(snakemake.wildcards.within)
    prepare_data(plan, snakemake.wildcards.data, Path(snakemake.output[0]))
