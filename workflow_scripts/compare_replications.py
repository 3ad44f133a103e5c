"""Compare the verdicts of all data sets: how far each claim reaches."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.findings.replications import write_comparison
    from minima.plan.workplan import Plan

    plan, output = Plan(snakemake.config), snakemake.output
    found = zip(plan.data_sets.items(), map(Path, snakemake.input), strict=True)
    write_comparison(
        {name: (title, verdicts) for (name, title), verdicts in found},
        json_path=Path(output.json),
        markdown_path=Path(output.page),
        html_path=Path(output.html),
        figures_folder=Path(output.figures),
    )
