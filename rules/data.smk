rule prepare_data:
    """Makes the training and test rows of a recipe, from its source or from files."""
    input:
        lambda wildcards: AT(wildcards.within).own_files(wildcards.data),
    output:
        PATHS.data("{data}"),
    log:
        PATHS.log("prepare_data", "{data}"),
    benchmark:
        PATHS.benchmark("prepare_data", "{data}")
    priority: lambda wildcards: -AT(wildcards.within).turns(CORES).data[wildcards.data]
    conda:
        "envs/minima.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 4000,
        runtime=lambda wildcards, attempt: attempt * 30,
    params:
        stamp=lambda wildcards: AT(wildcards.within).stamps.data(wildcards.data),
    script:
        "../workflow_scripts/prepare_data.py"
