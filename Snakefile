"""Minima: which minimizer does my network converge to?

snakemake --cores all               everything the config asks for
snakemake --cores 1 plan            what would be trained, and why
snakemake --cores all replications  the same claims on other data
snakemake --cores 1 prune           stored cells that no recorded config uses
snakemake --cores 1 archive         everything that was found, as one zip
"""

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


container: "minima.sif"  # of --sdm apptainer alone; rules/envs/minima.def builds it


include: "rules/package.smk"


from minima.plan.given import given
from minima.plan.mistakes import ConfigError
from minima.plan.parts import beside, located
from minima.plan.workplan import Plan, share_with_scripts
from snakemake_console import watch

share_with_scripts()
config["extensions"] = located(config.get("extensions", []), workflow.configfiles)
config["network_dirs"] = located(
    config.get("network_dirs", beside(workflow.configfiles)), workflow.configfiles
)
asked = workflow.config_settings
config["options"] = given(asked.configfiles, asked.config, asked.replace_workflow_config)
try:
    PLAN = Plan(config)
    PLAN.check()
    config.update(PLAN.whole)
except ConfigError as error:
    raise WorkflowError(str(error)) from None
watch(workflow, PLAN)


include: "rules/common.smk"


rule all:
    """Everything the config asks for: report, datasets, figures and provenance."""
    input:
        FINDINGS,


include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/reference.smk"
include: "rules/aggregate.smk"
include: "rules/claims.smk"
include: "rules/figures.smk"
include: "rules/report.smk"
include: "rules/replications.smk"
include: "rules/maintenance.smk"
