"""Write the report page of this run: verdicts, figures and facts."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.findings.reporting import write_run_report
    from minima.plan.workplan import Plan

    write_run_report(Plan(snakemake.config).at(snakemake.wildcards.within), Path(snakemake.output[0]))
