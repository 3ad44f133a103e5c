"""Write where this run's results come from, and how long they took."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.findings.provenance import write_provenance
    from minima.plan.workplan import Plan

    plan = Plan(snakemake.config).at(snakemake.wildcards.within)
    write_provenance(plan, Path(snakemake.output.json), Path(snakemake.output.page))
