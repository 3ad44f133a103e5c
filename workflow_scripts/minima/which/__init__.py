"""The question of the title, asked of one network of yours: arrays in, a labelled answer out, no file.

`which_minimizer` and `predict_minimizer` are names of `minima` itself, which loads this room when they are
asked for.
"""
