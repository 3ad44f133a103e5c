rule train_pack:
    input:
        data=lambda wildcards: [PATHS.data(name) for name in PLAN.data_of(wildcards.pack)],
        starts=lambda wildcards: [PATHS.pack(name) for name in PLAN.starts_of(wildcards.pack)],
    output:
        PATHS.pack("{pack}"),
    log:
        PATHS.log("train_pack", "{pack}"),
    benchmark:
        PATHS.benchmark("train_pack", "{pack}")
    priority: lambda wildcards: PLAN.seconds_behind[wildcards.pack]
    conda:
        "envs/minima.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt * job_memory_mb(PLAN.packs[wildcards.pack].cost),
        runtime=lambda wildcards, attempt: job_minutes(
            PLAN.packs[wildcards.pack].cost, PLAN.packs[wildcards.pack].at_most, attempt
        ),
    params:
        stamp=lambda wildcards: PLAN.pack_stamp(wildcards.pack),
    script:
        "../workflow_scripts/train_pack.py"
