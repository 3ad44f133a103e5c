"""Join the verdicts of all studies, corrected for their number."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.findings.claims import join_verdicts
    from minima.plan.workplan import Plan

    plan, output = Plan(snakemake.config).at(snakemake.wildcards.within), snakemake.output
    files = [Path(path) for path in snakemake.input]
    join_verdicts(plan.claims, files, Path(output.json), Path(output.page), plan.not_asked)
