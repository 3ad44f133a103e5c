"""Prepare one data recipe: its splits as one netCDF file."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.data.files import save
    from minima.data.prepare import prepared
    from minima.plan.workplan import Plan

    plan = Plan(snakemake.config)
    file = plan.data_files[snakemake.wildcards.data]
    save(prepared(file.recipe, file.splits, Path(plan.config.data_dir)), snakemake.output[0])
