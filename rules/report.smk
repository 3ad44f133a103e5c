# The page grows: a study's part is written when its dataset is there, and with it a page of what is known so far.
rule describe_study:
    """Writes what the report says of a study, and the report of what is known so far."""
    input:
        dataset=PATHS.dataset("{study}"),
        verdicts=lambda wildcards: ancient(AT(wildcards.within).verdicts_of(wildcards.study)),  # on the page so far
    output:
        PATHS.section("{study}"),
    log:
        PATHS.log("describe_study", "{study}"),
    benchmark:
        PATHS.benchmark("describe_study", "{study}")
    priority: 2
    localrule: True
    conda:
        "envs/minima.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 2000,
        runtime=lambda wildcards, attempt: attempt * 10,
    params:
        stamp=lambda wildcards: AT(wildcards.within).stamps.section(wildcards.study),
    script:
        "../workflow_scripts/describe_study.py"


rule write_report:
    """Writes the page of verdicts, maps and figures."""
    input:
        lambda wildcards: [AT(wildcards.within).paths.claims] if AT(wildcards.within).claims else [],
        sections=lambda wildcards: [
            AT(wildcards.within).paths.section(study) for study in AT(wildcards.within).studies
        ],
        figures=lambda wildcards: [
            AT(wildcards.within).paths.figures(study) for study in AT(wildcards.within).drawn_studies
        ],
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
        stamp=lambda wildcards: AT(wildcards.within).stamps.report(),
    script:
        "../workflow_scripts/write_report.py"


rule write_provenance:
    """Writes down config, code, versions and times behind the results."""
    input:
        lambda wildcards: [
            AT(wildcards.within).paths.dataset(study) for study in AT(wildcards.within).studies
        ],
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
        stamp=lambda wildcards: AT(wildcards.within).stamps.provenance(),
    script:
        "../workflow_scripts/write_provenance.py"


rule archive:
    """Packs everything that was found into one zip."""
    input:
        FINDINGS,
    output:
        CHOSEN.paths.archive,
    log:
        CHOSEN.paths.log("archive"),
    localrule: True
    conda:
        "envs/minima.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 2000,
        runtime=lambda wildcards, attempt: attempt * 10,
    script:
        "../workflow_scripts/write_archive.py"
