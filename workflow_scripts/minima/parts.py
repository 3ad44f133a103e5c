"""Which module a name in a config stands for, where its room does not follow from what it is. Imports nothing
of the rooms: the plan asks too, for the fingerprint."""

from pathlib import Path

PACKAGE = Path(__file__).parent


def probe_module(name: str) -> str:
    """`probe_module` returns the module of a probe: of the engine, or of theory where it needs theory."""
    of_theory = (PACKAGE / "theory" / "probes" / f"{name}.py").exists()
    return f"minima.{'theory' if of_theory else 'engine'}.probes.{name}"
