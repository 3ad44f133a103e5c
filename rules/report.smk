rule write_report:
    input:
        [PATHS.claims] if PLAN.claims else [],
        datasets=[PATHS.dataset(study) for study in PLAN.studies],
        figures=[PATHS.figures(study) for study in PLAN.drawn_studies],
    output:
        report(
            PATHS.report,
            caption="captions/report.rst",
            category="Verdicts",
            labels={"page": "report"},
        ),
    log:
        PATHS.log("write_report"),
    benchmark:
        PATHS.benchmark("write_report", "all")
    localrule: True
    conda:
        "envs/minima.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 2000,
        runtime=lambda wildcards, attempt: attempt * 10,
    params:
        stamp=lambda wildcards: PLAN.report_stamp(),
    script:
        "../workflow_scripts/write_report.py"


rule write_provenance:
    input:
        [PATHS.dataset(study) for study in PLAN.studies],
    output:
        json=PATHS.provenance,
        page=PATHS.runtimes,
    log:
        PATHS.log("write_provenance"),
    benchmark:
        PATHS.benchmark("write_provenance", "all")
    localrule: True
    conda:
        "envs/minima.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 2000,
        runtime=lambda wildcards, attempt: attempt * 10,
    params:
        stamp=lambda wildcards: PLAN.provenance_stamp(),
    script:
        "../workflow_scripts/write_provenance.py"


rule archive:
    input:
        FINDINGS,
    output:
        PATHS.archive,
    log:
        PATHS.log("archive"),
    localrule: True
    conda:
        "envs/minima.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 2000,
        runtime=lambda wildcards, attempt: attempt * 10,
    script:
        "../workflow_scripts/write_archive.py"
