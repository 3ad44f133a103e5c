"""Wildcards, and the names that the rules share."""

from minima.plan.cost import job_memory_mb, job_minutes
from minima.plan.layout import Layout, folder_of

AT = (
    PLAN.at
)  # {within}: the plan whose results stand there, of the studies as they are ("") or of a replication
PATHS = Layout(PLAN.config.results, "{within}")
CHOSEN = PLAN.chosen
FINDINGS = [  # what a run is for
    CHOSEN.paths.report,
    CHOSEN.paths.provenance,
    *[CHOSEN.paths.dataset(study) for study in CHOSEN.studies],
    *[CHOSEN.paths.figures(study) for study in CHOSEN.drawn_studies],
]


wildcard_constraints:
    within="(" + "|".join(["", *map(folder_of, PLAN.config.replications)]) + ")",
    data="[a-z0-9_]+",
    reference="[a-z0-9_]+",
    pack="[a-z0-9_]+",
    study="[a-z][a-z0-9_]*",
