"""Judge the registered claims about one study."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.findings.claims import judge_study
    from minima.plan.workplan import Plan

    plan = Plan(snakemake.config).at(snakemake.wildcards.within)
    claims = plan.claims_about(snakemake.wildcards.study)
    judge_study(claims, Path(snakemake.input[0]), Path(snakemake.output[0]), plan.not_asked)
