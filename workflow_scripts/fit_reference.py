"""Fit the kernel references of one data file and architecture."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.jobs.fit_reference import fit_reference
    from minima.plan.workplan import Plan

    fit = Plan(snakemake.config).at(snakemake.wildcards.within).reference_fits[snakemake.wildcards.reference]
    fit_reference(fit, Path(snakemake.input[0]), Path(snakemake.output[0]))
