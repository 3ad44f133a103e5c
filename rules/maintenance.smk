# Neither has an output: both look at the store as it is now, each time they are asked.
rule plan:
    """Says what would be trained, why, and what it would cost."""
    log:
        PLAN.paths.log("plan"),
    localrule: True
    conda:
        "envs/minima.yaml"
    script:
        "../workflow_scripts/print_plan.py"


rule prune:
    """Lists stored cells that no recorded config uses."""
    log:
        PLAN.paths.log("prune"),
    localrule: True
    conda:
        "envs/minima.yaml"
    script:
        "../workflow_scripts/prune_store.py"
