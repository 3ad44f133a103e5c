"""Three questions to a study's dataset, three lines each: python notebooks/explore.py, after a run.

The cells run in any editor that knows `# %%`, and in Jupyter by jupytext.
"""

# %% A study is a tree of datasets: trained/<block>, predicted/<block>, reference/<block>, nearest/<block>
import xarray as xr

tree = xr.open_datatree("results/init_size/dataset.nc")
trained = tree["trained/scale"].ds
print(trained)

# %% Which minimizer did the networks converge to? How many of each, by width and size of the initialization
nearest = tree["nearest/scale"].ds.nearest
counts = nearest.to_series().groupby(["width", "scale"]).value_counts()
print(counts.unstack(fill_value=0))

# %% Does a large initialization cost accuracy? Mean test error of those that converged, by width and size
converged = trained.status == "converged"
errors = trained.test_error.where(converged).mean("seed")
print(errors.to_pandas().round(3))

# %% Does width make a network linear? Root mean square of f − f_linearized on the test points, by width
difference = tree["trained/width"].ds.test - tree["predicted/width"].ds.test.sel(predictor="linearized")
gap = (difference.sel(scale=1) ** 2).mean(("point", "output")) ** 0.5
print(gap.median("seed").to_pandas())
