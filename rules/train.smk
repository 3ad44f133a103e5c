rule train_pack:
    """Trains those networks of a pack that the store lacks, and predicts where they end."""
    input:
        data=lambda wildcards: [
            AT(wildcards.within).paths.data(name) for name in AT(wildcards.within).data_of(wildcards.pack)
        ],
        starts=lambda wildcards: [
            AT(wildcards.within).paths.pack(name) for name in AT(wildcards.within).starts_of(wildcards.pack)
        ],
    output:
        PATHS.pack("{pack}"),
    log:
        PATHS.log("train_pack", "{pack}"),
    benchmark:
        PATHS.benchmark("train_pack", "{pack}")
    priority: lambda wildcards: -AT(wildcards.within).turns(CORES).packs[wildcards.pack]
    conda:
        "envs/minima.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * job_memory_mb(AT(wildcards.within).packs[wildcards.pack].cost),
        runtime=lambda wildcards, attempt: job_minutes(
            AT(wildcards.within).packs[wildcards.pack].cost,
            AT(wildcards.within).packs[wildcards.pack].at_most,
            attempt,
        ),
    params:
        stamp=lambda wildcards: AT(wildcards.within).stamps.pack(wildcards.pack),
    script:
        "../workflow_scripts/train_pack.py"


# One network by the name that the report gives it, from the start: nothing is taken from the store or put into it.
rule train_again:
    """Trains one network again, from an empty store."""
    input:
        data=lambda wildcards: [
            AT(wildcards.within).paths.data(AT(wildcards.within).data_of_network(wildcards.network)),
        ],
        starts=lambda wildcards: [
            AT(wildcards.within).paths.pack(name)
            for name in AT(wildcards.within).starts_of_network(wildcards.network)
        ],
    output:
        PATHS.again("{network}.nc"),
    log:
        PATHS.log("train_again", "{network}"),
    conda:
        "envs/minima.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 4000,
        runtime=lambda wildcards, attempt: attempt * 60,
    params:
        stamp=lambda wildcards: AT(wildcards.within).stamps.network(wildcards.network),
    script:
        "../workflow_scripts/train_again.py"
