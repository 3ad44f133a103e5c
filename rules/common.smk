"""Wildcards, and the names that the rules share."""

from minima.plan.cost import job_memory_mb, job_minutes
from minima.plan.layout import Layout, folder_of

# The plan whose results stand {within} the results folder: of the studies as they are (""), or of a replication.
AT = PLAN.at
PATHS = Layout(PLAN.config.results, "{within}")
CHOSEN = PLAN.chosen
# Packs begin in their turns: a priority is the second at which a job should begin, with a minus. What comes after a
# study's training has a priority above 0: first the dataset, then verdicts, its part of the report, figures.
CORES = workflow.resource_settings.nodes or workflow.resource_settings.cores or 1
FINDINGS = [  # what a run is for
    CHOSEN.paths.report,
    CHOSEN.paths.provenance,
    *[CHOSEN.paths.dataset(study) for study in CHOSEN.studies],
    *[CHOSEN.paths.figures(study) for study in CHOSEN.drawn_studies],
]


wildcard_constraints:
    within="({})".format("|".join(map(folder_of, PLAN.data_sets))),
    data="[a-z0-9_]+",
    reference="[a-z0-9_]+",
    pack="[a-z0-9_]+",
    study="[a-z][a-z0-9_]*",
    network="[0-9a-f]+",
