rule write_report:
    input:
        [PATHS.claims] if PLAN.claims else [],
        datasets=[PATHS.dataset(study) for study in PLAN.studies],
        figures=[PATHS.figure(study, name, "png") for study, name in PLAN.figures],
    output:
        PATHS.report,
    log:
        PATHS.log("write_report"),
    benchmark:
        PATHS.benchmark("write_report", "all")
    localrule: True
    conda:
        "envs/minima.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        stamp=PLAN.report_stamp(),
    script:
        "../workflow_scripts/write_report.py"
