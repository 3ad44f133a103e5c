rule aggregate_study:
    input:
        packs=lambda wildcards: [PATHS.pack(name) for name in PLAN.packs_of(wildcards.study)],
        data=lambda wildcards: [PATHS.data(name) for name in PLAN.data_of_study(wildcards.study)],
        references=lambda wildcards: [PATHS.reference(name) for name in PLAN.references_of(wildcards.study)],
    output:
        report(
            PATHS.dataset("{study}"),
            caption="captions/dataset.rst",
            category="Datasets",
            labels={"study": "{study}"},
        ),
    log:
        PATHS.log("aggregate_study", "{study}"),
    benchmark:
        PATHS.benchmark("aggregate_study", "{study}")
    conda:
        "envs/minima.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 4000,
        runtime=lambda wildcards, attempt: attempt * 30,
    params:
        stamp=lambda wildcards: PLAN.dataset_stamp(wildcards.study),
    script:
        "../workflow_scripts/aggregate_study.py"
