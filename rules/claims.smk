# A study is judged as soon as its dataset is there; then all verdicts are corrected for their number.
rule judge_study:
    """Gives a verdict on each claim about a study, before the correction for their number."""
    input:
        PATHS.dataset("{study}"),
    output:
        PATHS.verdicts("{study}"),
    log:
        PATHS.log("judge_study", "{study}"),
    benchmark:
        PATHS.benchmark("judge_study", "{study}")
    priority: 3
    localrule: True
    conda:
        "envs/minima.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 4000,
        runtime=lambda wildcards, attempt: attempt * 30,
    params:
        stamp=lambda wildcards: AT(wildcards.within).stamps.verdicts(wildcards.study),
    script:
        "../workflow_scripts/judge_study.py"


rule judge_claims:
    """Gives a verdict on every registered claim of the studies that run."""
    input:
        lambda wildcards: [
            AT(wildcards.within).paths.verdicts(study) for study in AT(wildcards.within).judged_studies
        ],
    output:
        json=PATHS.claims,
        page=report(
            PATHS.claims_page,
            caption="captions/claims.rst",
            category="Verdicts",
            labels={"page": "verdicts"},
        ),
    log:
        PATHS.log("judge_claims"),
    benchmark:
        PATHS.benchmark("judge_claims", "all")
    localrule: True
    conda:
        "envs/minima.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 2000,
        runtime=lambda wildcards, attempt: attempt * 10,
    params:
        stamp=lambda wildcards: AT(wildcards.within).stamps.claims(),
    script:
        "../workflow_scripts/judge_claims.py"
