"""Print what a run would train and why; results/plan.json says the same to machines."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.findings.files import write_json
    from minima.findings.forecast import as_json, describe, forecast
    from minima.plan.workplan import Plan

    plan = Plan(snakemake.config)
    found = forecast(plan)
    write_json(as_json(found), Path(plan.paths.plan))
    print(describe(found), flush=True)
