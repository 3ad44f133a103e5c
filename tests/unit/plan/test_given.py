"""What Snakemake was given for a config, said again."""

import shlex
from pathlib import Path

import pytest
from snakemake.cli import parse_config

from minima.plan.given import given


@pytest.mark.parametrize(
    "said",
    [
        "run=[init_size,momentum]",
        "results=elsewhere/results",
        "results=/somewhere/else",
        "title=it's 3",
        'title="3"',
        "seed=3",
        "lr=1e-3",
        "verdicts=False",
        "verdicts=false",
        "replication=",
        "word=nan",
        'execution={pack_minutes: 120, device: "cpu"}',
        "aa={b: [1, {c: ü}]}",
    ],
)
def test_values_are_read_again_as_they_were(said):
    values = parse_config([said])
    option, *words = shlex.split(given([], values))
    assert option == "--config"
    assert repr(parse_config(words)) == repr(values)


def test_files_are_named_from_where_snakemake_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [tmp_path / "my config.yaml", Path("/elsewhere/b.yaml")]
    assert shlex.split(given(files, {"run": ["a"]}, replaces=True)) == [
        "--replace-workflow-config",
        "--configfile",
        "my config.yaml",
        "/elsewhere/b.yaml",
        "--config",
        'run=["a"]',
    ]
    assert given([], {}) == ""
