rule fit_reference:
    """Fits a minimizer that is the same for all networks on the same data."""
    input:
        lambda wildcards: AT(wildcards.within).paths.data(
            AT(wildcards.within).reference_fits[wildcards.reference].data
        ),
    output:
        PATHS.reference("{reference}"),
    log:
        PATHS.log("fit_reference", "{reference}"),
    benchmark:
        PATHS.benchmark("fit_reference", "{reference}")
    priority: lambda wildcards: -AT(wildcards.within).turns(CORES).references[wildcards.reference]
    conda:
        "envs/minima.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 4000,
        runtime=lambda wildcards, attempt: attempt * 60,
    params:
        stamp=lambda wildcards: AT(wildcards.within).stamps.reference(wildcards.reference),
    script:
        "../workflow_scripts/fit_reference.py"
