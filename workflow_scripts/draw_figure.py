"""Draw one figure of a study, its data beside it."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.findings.drawing import draw_figure
    from minima.plan.workplan import Plan

    kind, *blocks = Plan(snakemake.config).figure(snakemake.wildcards.study, snakemake.wildcards.figure)
    pictures = [Path(snakemake.output.png), Path(snakemake.output.svg)]
    draw_figure(kind, blocks, Path(snakemake.input[0]), Path(snakemake.output.table), pictures)
