"""Print what a run would train and why; results/plan.json says the same to machines."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.findings.files import write_json
    from minima.findings.forecast import as_json, describe_all, forecasts
    from minima.plan.workplan import Plan

    plan = Plan(snakemake.config)
    found = forecasts(plan)
    others = {name: as_json(one) for name, one in found.items() if name}
    write_json(as_json(found[""]) | {"replications": others}, Path(plan.paths.plan))
    print(describe_all(found), flush=True)
