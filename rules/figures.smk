rule draw_figure:
    input:
        PATHS.dataset("{study}"),
    output:
        png=report(
            PATHS.figure("{study}", "{figure}", "png"),
            caption="captions/figure.rst",
            category="Figures",
            subcategory="{study}",
            labels={"study": "{study}", "figure": "{figure}"},
        ),
        svg=PATHS.figure("{study}", "{figure}", "svg"),
        table=PATHS.figure("{study}", "{figure}", "csv"),
    log:
        PATHS.log("draw_figure", "{study}_{figure}"),
    benchmark:
        PATHS.benchmark("draw_figure", "{study}_{figure}")
    localrule: True
    conda:
        "envs/minima.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 2000,
        runtime=lambda wildcards, attempt: attempt * 10,
    params:
        stamp=lambda wildcards: PLAN.figure_stamp(wildcards.study, wildcards.figure),
        caption=lambda wildcards: PLAN.caption(wildcards.study, wildcards.figure),
        claims=lambda wildcards: ", ".join(PLAN.claims_shown(wildcards.study, wildcards.figure)),
    script:
        "../workflow_scripts/draw_figure.py"
