"""Put all that this run found into one zip."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.findings.archive import write_archive
    from minima.plan.workplan import Plan

    write_archive(Plan(snakemake.config).chosen, Path(snakemake.output[0]))
