"""Snakemake that asks SLURM twice a second: the plugin's own pauses grow by ten seconds each."""

import sys

from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor

Executor.next_seconds_between_status_checks = property(lambda executor: 0.5, lambda executor, seconds: None)
sys.exit(main())
