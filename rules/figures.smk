# One job draws all figures of a study, for to start takes as long as to draw one; it draws those that have changed.
rule draw_figures:
    """Draws the figures of a study that have changed, and copies the others."""
    input:
        PATHS.dataset("{study}"),
    output:
        report(
            directory(PATHS.figures("{study}")),
            patterns=["{figure}.png"],
            caption="captions/figure.rst",
            category="Figures",
            subcategory="{study}",
            labels={"study": "{study}", "figure": "{figure}"},
        ),
    log:
        PATHS.log("draw_figures", "{study}"),
    benchmark:
        PATHS.benchmark("draw_figures", "{study}")
    priority: 1
    localrule: True
    conda:
        "envs/minima.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 2000,
        runtime=lambda wildcards, attempt: attempt * 10,
    params:
        stamp=lambda wildcards: AT(wildcards.within).stamps.figures(wildcards.study),
        captions=lambda wildcards: AT(wildcards.within).captions(wildcards.study),
    script:
        "../workflow_scripts/draw_figures.py"
