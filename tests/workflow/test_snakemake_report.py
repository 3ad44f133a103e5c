"""Snakemake's own report, as `make report` writes it beside ours."""

import yaml
from harness import ROOT


def test_snakemakes_report_is_built_with_captions_and_categories(workflow):
    """Of a finished run, without running a job again."""
    run = workflow.run("--report", "results/snakemake-report.html").succeeded()
    assert not run.jobs
    page = (workflow.folder / "results/snakemake-report.html").read_text(encoding="utf-8")
    for words in ("Test error against the initialization scale", "Figures", "Datasets", "error_vs_scale"):
        assert words in page
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "--report results/snakemake-report.html" in makefile


def test_no_profile_asks_for_a_report():
    """With `report-after-run` a dry run fails in a fresh clone and `snakemake plan` overwrites the report."""
    for path in sorted((ROOT / "profiles").glob("*/profile.yaml")):
        assert not any("report" in key for key in yaml.safe_load(path.read_text(encoding="utf-8"))), path
