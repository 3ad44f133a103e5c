"""What the claims ask of a study's dataset, a module per study.

An estimand takes the tree of `results/<study>/dataset.nc` and the arguments of a part of
`config/claims.yaml`, and returns a `minima.findings.stats.Sample`: a value per unit of replication, and how
they are summed up. What a dataset does not hold is a `NotEstimable` that says so.
"""
