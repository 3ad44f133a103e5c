rule aggregate_study:
    """Puts all that was found for a study into one labelled dataset."""
    input:
        packs=lambda wildcards: [
            AT(wildcards.within).paths.pack(name) for name in AT(wildcards.within).packs_of(wildcards.study)
        ],
        data=lambda wildcards: [
            AT(wildcards.within).paths.data(name)
            for name in AT(wildcards.within).data_of_study(wildcards.study)
        ],
        references=lambda wildcards: [
            AT(wildcards.within).paths.reference(name)
            for name in AT(wildcards.within).references_of(wildcards.study)
        ],
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
    priority: 4
    conda:
        "envs/minima.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 4000,
        runtime=lambda wildcards, attempt: attempt * 30,
    params:
        stamp=lambda wildcards: AT(wildcards.within).stamps.dataset(wildcards.study),
    script:
        "../workflow_scripts/aggregate_study.py"
