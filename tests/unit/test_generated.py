"""Files that are written from one source are as that source says."""

import pytest

from minima.plan.generated import ROOT, generated_files


@pytest.mark.parametrize("path", generated_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_generated_files_are_up_to_date(path):
    assert path.read_text(encoding="utf-8") == generated_files()[path], "run: make generated"
