"""The skeleton of a study runs as it is written."""

import pytest

from minima.plan import parts
from minima.plan.new_study import write_study
from minima.plan.workplan import Plan


def test_a_new_study_is_planned_as_it_is(tmp_path):
    """With the two lines of config that its maker is told: its grid, figures, claim and estimand."""
    folder = write_study("my_question", tmp_path / "mine")
    assert folder == tmp_path / "mine" / "studies" / "my_question"
    try:
        config = {"run": ["my_question"], "extensions": [str(tmp_path / "mine")]}
        plan = Plan(config)
        plan.check()
        assert len(plan.cells) == 10
        assert [plan.figure_module(*figure) for figure in plan.figures] == [
            "studies.my_question.figures.my_question_errors",
            "minima.findings.figures.nearest_minimizer",
        ]
        (claim,) = plan.claims
        assert claim.parts[0].module == "studies.my_question.estimands"
        assert len(Plan(config | {"scale": "smoke"}).cells) == 4
        with pytest.raises(SystemExit, match="there is a study 'my_question'"):
            write_study("my_question", tmp_path / "mine")
    finally:
        parts.extend([])


@pytest.mark.parametrize(("name", "says"), [("My-Study", "lower case"), ("momentum", "there is a study")])
def test_a_name_that_cannot_be_had(tmp_path, name, says):
    with pytest.raises(SystemExit, match=says):
        write_study(name, tmp_path)
    assert not [*tmp_path.iterdir()]
