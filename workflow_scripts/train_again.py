"""Train one network again, as if it had never been trained."""

from pathlib import Path
from tempfile import TemporaryDirectory

from minima.jobs.logs import job_log

with job_log(snakemake.log[0]):
    from minima.jobs.train_pack import train_pack
    from minima.plan.workplan import Plan

    plan, network = Plan(snakemake.config).at(snakemake.wildcards.within), snakemake.wildcards.network
    with TemporaryDirectory() as empty:
        train_pack(
            [plan.cells[network]],
            data_files={plan.data_of_network(network): Path(snakemake.input.data[0])},
            store_folder=Path(empty),
            output=Path(snakemake.output[0]),
            device=plan.config.execution.device,
            products=plan.config.execution.products,
            kernel_memory_gb=plan.config.execution.kernel_memory_gb,
            reuse=plan.config.reuse,
            starts=[Path(path) for path in snakemake.input.starts],
        )
