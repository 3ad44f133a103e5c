"""When training has diverged: a number that those who read results know too, without torch."""

DIVERGED_LOSS = 1e3  # times the initial loss
