"""The sources of data, a module each; a user's extension adds modules in its folder `sources`.

A module `spirals.py` makes `source: spirals` a recipe of the config. It holds

- one class that subclasses `minima.plan.recipes.Recipe`, whose field `source` takes the module's name alone
  and describes it, and whose further fields are options. Beside them it may say what the plan should know
  before the rows are read, so that a mistake is told while the config is: `facts` (title, origin, licence, a
  row's shape, rows of each class, largest value), `targets = "values"` where they are no classes, and the
  methods `row_shape`, `output_count`, `own_files` (a change of one prepares the data again) and `problems`;
- either `load(recipe, data_dir)`, which returns a `minima.data.pool.Pool` of all rows, from which every split
  draws its own, or `draw(recipe, split)`, which returns a pool that is drawn for this split and holds
  `recipe.train_size` rows and `recipe.test_size` test rows. `minima.data.pool.drawn` makes one of a function
  that draws rows; `minima.streams.stream` gives random numbers by the split's number and a name.

The plan imports these modules: numpy and whatever else takes time they import where they compute. They and
what they import of minima are the code of the data: to edit it prepares these data again and, where an array
comes out otherwise, trains its networks again. To edit the class alone does not.
"""
