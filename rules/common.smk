"""Wildcards, and the names that the rules share."""

from minima.plan.cost import job_memory_mb, job_minutes
from minima.plan.fingerprint import fingerprint

PATHS = PLAN.paths


wildcard_constraints:
    data="[a-z0-9_]+",
    reference="[a-z0-9_]+",
    pack="[a-z0-9_]+",
    study="[a-z][a-z0-9_]*",
    figure="[a-z][a-z0-9_]*",
