"""One module per source of data: `load(recipe, data_dir)` returns the `Pool` of rows that splits are drawn
from, or `draw(recipe, split)` a pool that is drawn anew for a split and holds exactly its rows, training and
test. `recipe` is a checked recipe of that source (`minima.plan.recipes`).
"""
