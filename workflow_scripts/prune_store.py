"""List the stored cells that no recorded config uses, or move them aside."""

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.findings.pruning import prune
    from minima.plan.workplan import Plan

    print(prune(Plan(snakemake.config)), flush=True)
