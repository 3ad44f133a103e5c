"""What the claims of all studies may ask of a dataset; those of one study stand in its folder.

An estimand takes the tree of `results/<study>/dataset.nc` and the arguments of a part of
a register, and returns a `minima.findings.stats.Sample`: a value per unit of replication, and how
they are summed up. What a dataset does not hold is a `NotEstimable` that says so.
"""
