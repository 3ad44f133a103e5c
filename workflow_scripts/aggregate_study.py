"""Aggregate a study's packs into its dataset, and record that this config uses their cells."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.findings.dataset import write_study
    from minima.plan.workplan import Plan

    write_study(
        Plan(snakemake.config).at(snakemake.wildcards.within),
        snakemake.wildcards.study,
        packs=[Path(path) for path in snakemake.input.packs],
        data_files=[Path(path) for path in snakemake.input.data],
        references=[Path(path) for path in snakemake.input.references],
        output=Path(snakemake.output[0]),
    )
