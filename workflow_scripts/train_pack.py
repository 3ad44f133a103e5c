"""Train one pack: those of its cells that the store does not have."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.jobs.train_pack import train_pack
    from minima.plan.workplan import Plan

    plan = Plan(snakemake.config)
    train_pack(
        plan.packs[snakemake.wildcards.pack].cells,
        data_files=[Path(path) for path in snakemake.input.data],
        store_folder=Path(plan.paths.store),
        output=Path(snakemake.output[0]),
        device=plan.config.execution.device,
        products=plan.config.execution.products,
        reuse=plan.config.reuse,
        journal_file=Path(plan.paths.journal(snakemake.wildcards.pack)),
        starts=[Path(path) for path in snakemake.input.starts],
    )
