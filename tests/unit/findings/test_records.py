"""A record says which cells a study uses; a user may delete it."""

import pytest
from tests.unit.house import House

from minima.findings.provenance import write_provenance


def test_a_deleted_record_is_told_with_the_mend(tmp_path):
    house = House(tmp_path / "results")
    plan = house.plan()
    house.fill(plan)
    record = house.record(plan)
    pages = tmp_path / "provenance.json", tmp_path / "runtimes.md"
    write_provenance(plan, *pages)
    assert all(page.exists() for page in pages)
    record.unlink()
    with pytest.raises(FileNotFoundError, match=rf"{record.name}: .* --forcerun aggregate_study"):
        write_provenance(plan, *pages)
