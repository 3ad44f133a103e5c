"""Train one pack: those of its cells that the store does not have."""

from pathlib import Path

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.jobs.train_pack import train_pack
    from minima.plan.workplan import Plan

    plan, pack = Plan(snakemake.config).at(snakemake.wildcards.within), snakemake.wildcards.pack
    train_pack(
        plan.packs[pack].cells,
        data_files=dict(zip(plan.data_of(pack), map(Path, snakemake.input.data), strict=True)),
        store_folder=Path(plan.paths.store),
        output=Path(snakemake.output[0]),
        device=plan.config.execution.device,
        products=plan.config.execution.products,
        kernel_memory_gb=plan.config.execution.kernel_memory_gb,
        reuse=plan.config.reuse,
        journal_file=Path(plan.paths.journal(pack)),
        starts=[Path(path) for path in snakemake.input.starts],
    )
