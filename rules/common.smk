"""Wildcards, and the names that the rules share."""

from minima.plan.cost import job_memory_mb, job_minutes

PATHS = PLAN.paths
FINDINGS = [  # what a run is for
    PATHS.report,
    PATHS.provenance,
    *[PATHS.dataset(study) for study in PLAN.studies],
    *[PATHS.figures(study) for study in PLAN.drawn_studies],
]


wildcard_constraints:
    data="[a-z0-9_]+",
    reference="[a-z0-9_]+",
    pack="[a-z0-9_]+",
    study="[a-z][a-z0-9_]*",
