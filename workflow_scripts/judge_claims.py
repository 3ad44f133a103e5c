"""Judge every registered claim about the studies of this run."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.findings.claims import judge_all
    from minima.plan.workplan import Plan

    plan = Plan(snakemake.config).at(snakemake.wildcards.within)
    datasets = dict(zip(plan.judged_studies, map(Path, snakemake.input), strict=True))
    output = snakemake.output
    judge_all(plan.claims, datasets, Path(output.json), Path(output.page), plan.not_asked)
