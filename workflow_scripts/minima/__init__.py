"""Minima: which minimizer does my network converge to?

plan      what to run: config, grid of cells, packs, cost, fingerprint
data      data recipes to arrays
store     the cache of trained cells
engine    how networks train
theory    where they should end
training  one batch of cells: initialization, predictions, training
packs     the job that trains a pack against the store
findings  what was found: dataset, figures, forecast
"""
