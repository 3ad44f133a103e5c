"""The same claims on several data sets: what is true in one and false in another is said so, and what was not
asked counts nowhere."""

import json
import re
from functools import partial

import pytest
from tests.unit.side_by_side import TITLES, claim, not_asked, part, side_by_side, verdicts

from minima.findings.drawing import read_table
from minima.findings.forest import POOLED, drawn
from minima.findings.random_effects import random_effects
from minima.findings.reach import compare, elsewhere, reach
from minima.findings.replications import as_markdown, write_comparison


def test_a_claim_that_is_true_of_one_data_set_and_false_of_another_says_so():
    table = side_by_side([claim("toy-1", "supported")], [claim("toy-1", "refuted")])
    (found,) = table["claims"]
    assert {name: on["verdict"] for name, on in found["on"].items()} == {
        "first": "supported",
        "second": "refuted",
    }
    assert found["reach"] == "holds on 1 of 2; fails on digits 4 and 9"
    assert found["on"]["second"]["estimate"] == 2.0
    page = as_markdown(table)
    assert "**holds on 1 of 2; fails on digits 4 and 9**" in page
    assert "| supported 1.00 [0.900, 1.10] | refuted 2.00 [1.80, 2.20] |" in page


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (["supported"] * 4, "holds on all 4"),
        (["supported", "supported", "not asked", "not asked"], "holds on both"),
        (["supported", "not asked", "not asked", "not asked"], "not asked elsewhere"),
        (["refuted", "not asked", "not asked", "not asked"], "not asked elsewhere"),
        (["not asked", "supported", "not asked", "not asked"], "holds on digits 4 and 9"),
        (["not asked", "inconclusive", "not asked", "not asked"], "open on digits 4 and 9"),
        (["not asked"] * 4, "not asked"),
        (["refuted"] * 4, "fails on all 4"),
        (["inconclusive", "not asked", "inconclusive", "inconclusive"], "open on all 3"),
        (
            ["supported", "refuted", "inconclusive", "supported"],
            "holds on 2 of 4; fails on digits 4 and 9; open on wine",
        ),
        (
            ["supported", "inconclusive", "not asked", "inconclusive"],
            "holds on 1 of 3; open on digits 4 and 9, a sphere",
        ),
        (
            ["inconclusive", "refuted", "not asked", "not asked"],
            "holds on none of 2; fails on digits 4 and 9; open on digits 3 and 8",
        ),
    ],
)
def test_reach_in_words_counts_what_was_asked_alone(verdicts, words):
    on = {
        name: {"verdict": verdict, "parts": 1, "parts_asked": 1}
        for name, verdict in zip(TITLES, verdicts, strict=True)
    }
    assert reach(on, TITLES) == words


def test_of_many_data_sets_reach_names_the_first():
    on = {
        str(i): {"verdict": "refuted" if i else "supported", "parts": 1, "parts_asked": 1} for i in range(7)
    }
    assert reach(on, {name: f"set {name}" for name in on}) == (
        "holds on 1 of 7; fails on set 1, set 2, set 3 and 3 more"
    )


def test_reach_says_where_not_all_parts_were_asked():
    """A verdict of two parts of three holds of less than the claim says."""
    partly = claim("toy-1", "supported", part("supported"), part("not asked"))
    table = side_by_side([claim("toy-1", "supported", part("supported"), part("supported"))], [partly])
    (found,) = table["claims"]
    assert found["reach"] == "holds on both (on 1 not all parts asked)"
    assert (found["on"]["second"]["parts_asked"], found["on"]["second"]["parts"]) == (1, 2)
    assert "[1] 1 of 2 parts asked" in as_markdown(table)


def test_parts_that_do_not_decide_are_not_counted():
    """Of a published claim those of ours stand beside it, asked or not."""
    published = claim(
        "toy-1", "supported", part("supported", source="published"), part("not asked"), source="published"
    )
    (found,) = side_by_side([published], [published])["claims"]
    assert found["on"]["second"]["parts"] == found["on"]["second"]["parts_asked"] == 1


def test_a_claim_that_a_run_does_not_have_is_not_asked_of_it():
    table = side_by_side([claim("toy-1", "supported")], [claim("toy-2", "supported")])
    first, second = table["claims"]
    assert (first["reach"], second["reach"]) == ("not asked elsewhere", "holds on digits 4 and 9")
    assert first["on"]["second"] == {"verdict": "not asked", "reason": "its study is not run there"}


@pytest.mark.parametrize(
    ("verdict", "parts", "control", "by"),
    [
        ("refuted", ["refuted", "supported"], "holds", ""),
        ("refuted", ["supported", "refuted"], "holds", "another part"),
        ("inconclusive", ["supported", "inconclusive"], "fails", "another part"),
        ("inconclusive", ["supported", "supported"], "fails", "control"),
        ("inconclusive", ["supported", "not asked"], "inconclusive", "control"),
        ("inconclusive", ["refuted", "supported"], "holds", "Holm"),
        ("inconclusive", ["supported", "refuted"], "holds", "Holm"),
    ],
)
def test_it_says_what_decided_where_the_headline_part_did_not(verdict, parts, control, by):
    found = claim("toy-1", verdict, *map(part, parts), control={"outcome": control})
    assert side_by_side([found])["claims"][0]["on"]["first"]["by"] == by


def test_reasons_stand_once_below_the_table_of_their_study():
    """Also of a data set that was asked nothing of the study, and of a claim that was asked nowhere else."""
    first = [claim(id, "supported") for id in ("a-1", "a-2", "a-3", "b-1")]
    table = side_by_side(
        first,
        [not_asked("a-1"), not_asked("a-2"), not_asked("a-3"), claim("b-1", "supported")],
        [
            claim("a-1", "supported"),
            claim("a-2", "inconclusive", reason="over the edge"),
            not_asked("a-3", "too few rows"),
            not_asked("b-1"),
        ],
        [not_asked("a-1", "too few rows"), claim("a-2", "supported"), not_asked("a-3"), not_asked("b-1")],
    )
    a, b = re.split(r"^## ", as_markdown(table), flags=re.M)[1:]
    assert "| claim | reach | digits 3 and 8 | wine | a sphere |" in a
    assert "| supported 1.00 [0.900, 1.10] | supported 1.00 [0.900, 1.10] | not asked [1] |" in a
    assert "| inconclusive 1.30 [1.00, 1.60] [2] | supported 1.00 [0.900, 1.10] |" in a
    assert "[1] not asked: too few rows  \n[2] over the edge  \n" in a
    assert '<a id="a-3"></a>' not in a
    assert "Not asked elsewhere: a-3 (no images; too few rows)." in a
    assert "Not asked of digits 4 and 9: no images." in a
    assert "| claim | reach | digits 3 and 8 | digits 4 and 9 |" in b
    assert "Not asked of wine, a sphere: no images." in b


def test_a_mean_over_data_sets_stands_where_the_number_is_comparable():
    """By the standard errors that the intervals were made of: of the same half width and n, all the same."""
    numbers = {"n": 5, "comparable": True}
    runs = [
        [claim("toy-1", "supported", part("supported", estimate=e, low=e - 0.2, high=e + 0.2, **numbers))]
        for e in (0.9, 1.0, 1.3)
    ]
    (found,) = side_by_side(*runs)["claims"]
    expected = random_effects([0.9, 1.0, 1.3], [0.2 / 2.7764451] * 3)._asdict()  # t₀.₉₇₅ of 4
    assert found["summary"] == pytest.approx(expected)
    assert side_by_side(*runs[:2])["claims"][0]["summary"] is None
    absolute = [[claim("toy-1", "supported")] for _ in range(3)]
    assert side_by_side(*absolute)["claims"][0]["summary"] is None


def test_the_count_of_what_holds_elsewhere_is_of_claims_asked_elsewhere():
    table = side_by_side(
        verdicts("supported", "supported", "supported", "supported", "refuted"),
        verdicts("supported", "refuted", "not asked", "not asked", "supported"),
        verdicts("supported", "supported", "inconclusive"),
    )
    assert elsewhere(table["claims"], table["data_sets"]) == [4, 3, 1]
    assert elsewhere([], []) == [0, 0, 0]


def test_forest_plots_show_claims_with_a_control_and_those_that_differ():
    plain = partial(claim, headline=False)
    table = side_by_side(
        [
            claim("a-1", "supported"),
            plain("a-2", "supported"),
            plain("b-1", "supported"),
            claim("c-1", "refuted"),
        ],
        [claim("a-1", "supported"), plain("a-2", "refuted"), plain("b-1", "supported"), not_asked("c-1")],
    )
    assert {study: [claim["id"] for claim in claims] for study, claims in drawn(table).items()} == {
        "a": ["a-1", "a-2"]
    }


def test_everything_is_written_from_files_and_the_same_again(tmp_path):
    """Odd numbers too: no interval, a count, a region without end, decades, one far wider."""
    odd = [
        part("supported", comparable=True),
        part("inconclusive", low=None, high=None, n=1),
        part("supported", interval="count", inside=9, share=[0.5, 1.0], n=10),
        part("supported", region="≤ 1", bounds=[None, 1], estimate=1e-9, low=1e-10, high=1e-8),
        part("inconclusive", low=-900, high=900),
        part("supported", region="in [0, 0]", bounds=[0, 0], interval="every", estimate=0, low=0, high=0),
    ]
    files = {}
    for name, title in TITLES.items():
        verdicts = [claim(f"toy-{i}", found["verdict"], found) for i, found in enumerate(odd)]
        if name == "fourth":
            verdicts = [not_asked("toy-0", "<b>no</b> images"), *verdicts[1:]]
        files[name] = title, tmp_path / "results" / name / "claims.json"
        files[name][1].parent.mkdir(parents=True)
        files[name][1].write_text(json.dumps(verdicts))
    (tmp_path / "results" / "second" / "claims.md").touch()

    def write(folder: str) -> dict[str, bytes]:
        out = tmp_path / "results" / folder
        pages = [out / f"replications.{suffix}" for suffix in ("json", "md", "html")]
        write_comparison(files, *pages, out / "forest")
        return {path.name: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}

    written = write("one")
    assert set(written) == {
        "toy.csv",
        "toy.png",
        "toy.svg",
        *(f"replications.{s}" for s in ("json", "md", "html")),
    }
    assert write("two") == written
    table = read_table(tmp_path / "results" / "one" / "forest" / "toy.csv")
    first = table[table.claim == "toy-0"]
    assert list(first.data_set) == [*TITLES.values(), POOLED]
    assert list(first.note)[:4] == ["", "", "", "not asked"]
    assert set(table[table.claim == "toy-2"].note) == {"9 of 10"}
    html = written["replications.html"].decode()
    assert 'href="../second/claims.md"' in html
    assert "../first/claims.md" not in html
    assert "&lt;b&gt;no&lt;/b&gt; images" in html
    assert not re.search(r"@import|url\(|<script", html)
    ids = re.findall(r' id="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in re.findall(r'href="(#[^"]*)"', html)} <= set(ids)


def test_the_number_shown_is_of_the_part_that_most_data_sets_are_asked():
    """So that the numbers of a row are of one thing; where that part is not asked there is none."""
    table = side_by_side(
        [claim("toy-1", "supported", part("supported", "a"), part("supported", "b", estimate=7.0))],
        [claim("toy-1", "supported", part("not asked", "a"), part("supported", "b", estimate=8.0))],
        [claim("toy-1", "refuted", part("refuted", "a"), part("not asked", "b"))],
        [claim("toy-1", "supported", part("supported", "a"), part("supported", "b", estimate=9.0))],
    )
    (found,) = table["claims"]
    assert found["label"] == "a"
    assert [on["estimate"] for on in found["on"].values()] == [1.0, None, 2.0, 1.0]
    assert found["on"]["second"]["by"] == "another part"
    assert "| supported 1.00 [0.900, 1.10] | supported [1] | refuted 2.00 [1.80, 2.20] [1] |" in as_markdown(
        table
    )
    without = {
        name: (TITLES[name], [claim("toy-1", "supported", part("not asked", "a"), part("supported", "b"))])
        for name in ("second", "third")
    }
    (moved,) = compare(without)["claims"]
    assert moved["label"] == "b"
