"""What holds for every test, set before NumPy and torch are imported."""

import os

# One thread per process, for the tests and for what they start: two of them under contention are ten times
# slower, and files run side by side. OMP_NUM_THREADS=2 in the environment asks for two instead.
threads = os.environ.setdefault("OMP_NUM_THREADS", "1")
for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, threads)
