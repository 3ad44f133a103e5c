# Neither has an output: both look at the store as it is now, each time they are asked.
rule plan:
    log:
        PLAN.paths.log("plan"),
    localrule: True
    conda:
        "envs/minima.yaml"
    script:
        "../workflow_scripts/print_plan.py"


rule prune:
    log:
        PLAN.paths.log("prune"),
    localrule: True
    conda:
        "envs/minima.yaml"
    script:
        "../workflow_scripts/prune_store.py"
