"""Write a study's part of the report, and the report of what is known so far."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.findings.reporting import write_report_so_far
    from minima.findings.sections import write_section
    from minima.plan.workplan import Plan

    plan, study = Plan(snakemake.config).at(snakemake.wildcards.within), snakemake.wildcards.study
    write_section(plan, study, Path(snakemake.input.dataset), Path(snakemake.output[0]))
    write_report_so_far(plan)
