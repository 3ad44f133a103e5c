"""Draw the figures of a study, the data of each beside it."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.findings.drawing import draw_figures
    from minima.plan.workplan import Plan

    plan, study = Plan(snakemake.config).at(snakemake.wildcards.within), snakemake.wildcards.study
    names = plan.config.studies[study].figures
    draw_figures(
        {name: (plan.figure_module(study, name), *plan.figure(study, name)[1:]) for name in names},
        {name: plan.stamps.figure(study, name) for name in names},
        dataset=Path(snakemake.input[0]),
        folder=Path(snakemake.output[0]),
        drawings=Path(plan.paths.drawings(study)),
    )
