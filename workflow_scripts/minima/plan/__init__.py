"""What to run. Light: every cluster job imports it again to parse the Snakefile."""
