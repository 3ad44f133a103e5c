"""Where training should end, and how fast: kernels, linearizations, flows, linear networks, on arrays."""
