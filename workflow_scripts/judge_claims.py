"""Judge every registered claim about the studies of this run."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.findings.claims import judge_all
    from minima.plan.workplan import Plan

    plan = Plan(snakemake.config)
    datasets = dict(zip(plan.judged_studies, map(Path, snakemake.input), strict=True))
    judge_all(plan.claims, datasets, Path(snakemake.output.json), Path(snakemake.output.page))
