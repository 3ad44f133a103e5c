"""Probes that need theory, as those of `minima.engine.probes` otherwise."""
