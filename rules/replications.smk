# The claims of every data set side by side. Figures and report of one: --config replication=<name>.
rule compare_replications:
    """Puts the verdicts on all data sets side by side."""
    input:
        [PLAN.layout_of(name).claims for name in PLAN.data_sets],
    output:
        json=PLAN.paths.comparison["json"],
        page=PLAN.paths.comparison["md"],
        html=PLAN.paths.comparison["html"],
        figures=directory(PLAN.paths.forests),
    log:
        PLAN.paths.log("compare_replications"),
    localrule: True
    conda:
        "envs/minima.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 2000,
        runtime=lambda wildcards, attempt: attempt * 10,
    params:
        stamp=lambda wildcards: PLAN.stamps.comparison(),
    script:
        "../workflow_scripts/compare_replications.py"


rule replications:
    """Asks the same claims of other data."""
    input:
        [*PLAN.paths.comparison.values()],
