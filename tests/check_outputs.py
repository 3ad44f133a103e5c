"""Checks that a run's outputs exist and are valid: python tests/check_outputs.py results/smoke"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

PNG = b"\x89PNG\r\n\x1a\n"


def check(results: Path) -> None:
    datasets = sorted(results.glob("*/dataset.nc"))
    assert datasets, f"no dataset in {results}"
    for path in datasets:
        with xr.open_datatree(path, engine="netcdf4") as tree:
            for name, node in tree["trained"].children.items():
                statuses = set(node.ds.status.values.ravel().tolist())
                assert "missing" not in statuses, f"{path}: {name} has missing cells"
                # Many blocks train for a given time, so that "stopped" is no failure.
                assert statuses != {"diverged"}, f"{path}: all of {name} diverged"
                finite = np.isfinite(node.ds.test).all(("point", "output"))
                assert (finite | (node.ds.status == "diverged")).all(), f"{path}: {name} lacks predictions"
                print(f"{path}: {name} {dict(node.ds.sizes)}, {', '.join(sorted(statuses))}")
        figures = sorted((path.parent / "figures").glob("*.png"))
        assert figures, f"no figure of {path.parent.name}"
        for figure in figures:
            assert figure.read_bytes().startswith(PNG), figure
            assert figure.with_suffix(".svg").read_text(encoding="utf-8").rstrip().endswith("</svg>"), figure
            assert len(pd.read_csv(figure.with_suffix(".csv"))), figure
            print(f"{figure}: picture and data")
    verdicts = json.loads((results / "claims.json").read_text(encoding="utf-8"))
    assert verdicts, "no verdict"
    assert all(verdict["verdict"] in ("supported", "refuted", "inconclusive") for verdict in verdicts)
    page = (results / "report.html").read_text(encoding="utf-8")
    assert all(verdict["id"] in page for verdict in verdicts), "a claim is missing in the report"
    print(f"{results}: {len(verdicts)} verdicts, a report of {len(page) / 1e6:.1f} MB")


if __name__ == "__main__":
    check(Path(sys.argv[1]))
