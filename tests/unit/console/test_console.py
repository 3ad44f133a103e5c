"""The console says how far a run is, when it will end and what it found, in lines that fit."""

import io
import json

import pytest
import yaml
from tests.workflow.terminal import COLUMNS, Screen

from minima.console import screen
from minima.console.console import Console
from minima.console.progress import Progress
from minima.console.steps import STEP_SECONDS, Job, Key, Step, networks_of, steps_of
from minima.plan.workplan import Plan

CONFIG = """
data: {digits: {source: digits, classes: [3, 8], train_size: 20, test_size: 20}}
studies:
  first:
    blocks:
      plain: {data: digits, network: {width: 8}, seed: {start: 0, count: 3}}
      wide: {data: digits, network: {width: 16}, seed: {start: 0, count: 2}}
  second:
    blocks:
      shared: {data: digits, network: {width: 8}, seed: {start: 0, count: 2}}
"""
TRAIN, OTHER = 100.0, 10.0


@pytest.fixture(scope="module")
def plan():
    return Plan(yaml.safe_load(CONFIG) | {"run": ["first", "second"], "verdicts": False})


def jobs_of(plan, *others):
    jobs = [Job("train_pack", {"within": "", "pack": name}, (plan.paths.pack(name),)) for name in plan.packs]
    return dict(enumerate([*jobs, *others]))


def test_a_packs_networks_count_for_each_study_that_has_them(plan):
    """Networks that two studies share are trained once, and count in both."""
    jobs = jobs_of(plan, Job("draw_figures", {"within": "", "study": "first"}, ("figures",)))
    steps = [*steps_of(plan, jobs).values()]
    assert sum(step.networks for step in steps) == len(plan.cells) == 5
    assert sum(step.studies.get("first", 0) for step in steps) == 5
    assert sum(step.studies.get("second", 0) for step in steps) == 2
    assert networks_of(plan, [""]) == {Key("", "first"): 5, Key("", "second"): 2}
    expected = sum(pack.cost.seconds for pack in plan.packs.values()) + len(steps) * STEP_SECONDS
    assert sum(step.seconds for step in steps) == pytest.approx(expected)
    assert steps[-1].doing == "draw figures first"
    assert all("first plain" in step.doing for step in steps if step.studies.get("second"))


def progress(trained, others=0, cores=2):
    steps = [Step("train", studies={"one": 10}, networks=10, seconds=TRAIN)] * trained
    steps += [Step("other", studies={"one": 0}, seconds=OTHER)] * others
    return Progress(dict(enumerate(steps)), {Key("", "one"): 10 * trained + 7}, cores, 0.0)


def test_the_time_left_is_of_seconds_not_of_steps():
    """Two cores share eight equal packs; a single long one is waited for whole, on any number of cores."""
    assert progress(8).left(0.0) == pytest.approx(4 * TRAIN)
    assert progress(1, others=4, cores=8).left(0.0) == pytest.approx(TRAIN)
    run = progress(1, others=10)
    for number in range(1, 11):
        run.begins(number, 0.0)
        run.ends(number, OTHER)
    assert run.share(OTHER) == pytest.approx(0.5)


def test_a_slow_machine_makes_the_time_left_longer():
    """What training took so far, beside what was expected, is what the rest is expected to take."""
    run = progress(20)
    now = 0.0
    for number in range(10):
        run.begins(number, now)
        run.ends(number, now := now + 3 * TRAIN)
    assert 2.8 < run.pace < 3
    assert run.left(now) == pytest.approx(5 * run.pace * TRAIN)


def test_the_bar_never_runs_backwards_and_ends_full():
    """Neither a pack that takes longer than all before nor the start of an attempt after a failure moves it
    back; it is full when all has ended and not before."""
    run, now, shares = progress(3, others=2), 0.0, []
    for number, took in enumerate((1.0, 700.0, 40.0, 300.0, 2.0)):
        run.begins(number, now)
        if number == 2:
            shares.append(run.share(now + took))
            run.fails(number)
            run.begins(number, now)
        shares += [run.share(now + part * took) for part in (0, 0.5, 1)]
        assert shares[-1] < 1
        run.ends(number, now := now + took)
    shares.append(run.share(now))
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert run.left(now) == 0
    assert not run.failed


def test_networks_that_need_no_job_are_there_from_the_start():
    run = progress(3)
    (row,) = run.rows(0.0)
    assert (row.networks, row.of, row.done) == (7, 37, False)
    for number in range(3):
        run.ends(number, 1.0)
    (row,) = run.rows(1.0)
    assert (row.networks, row.of, row.done) == (37, 37, True)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def seen(stream, rows=24):
    """What a terminal of 80 columns shows; a terminal's driver puts a return before each new line."""
    shown = Screen(COLUMNS, rows)
    shown.feed(stream.getvalue().replace("\n", "\r\n"))
    return shown


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def claim(name, verdict, estimate=0.28):
    part = {"verdict": verdict, "estimate": estimate, "low": 0.2, "high": 0.3, "interval": "t", "n": 10}
    return {"id": name, "verdict": verdict, "statement": "Large weights " * 9, "parts": [part]}


def play(console, clock, plan, tmp_path, fail=False):
    """A run of this plan, from its beginning to its end: packs, then verdicts, then a report."""
    claims = tmp_path / "claims.json"
    verdicts = [claim("a-1", "supported"), claim("a-2", "refuted"), claim("a-3", "not asked")]
    claims.write_text(json.dumps(verdicts), encoding="utf-8")
    jobs = jobs_of(
        plan,
        Job("judge_claims", {"within": ""}, (str(claims), "claims.md")),
        Job("write_report", {}, ("r.html",)),
    )
    console.begins(jobs, 2)
    for number in jobs:
        console.starts(number)
        for _ in range(40):
            clock.now += 1
            console.ticks()
        if fail:
            console.fails(number)
            console.clears()
            console.stream.write(f"Error in job {number}: {'why ' * 40}\n")
            console.draw()
            break
        console.ends(number)
    console.ticks()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(autouse=True)
def size(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("TERM", "xterm")


def test_elsewhere_than_on_a_terminal_there_are_plain_lines(plan, clock, tmp_path):
    """No control characters; how far the run is, every so many seconds; each verdict, whole; the end."""
    stream = io.StringIO()
    console = Console(plan, stream, clock)
    play(console, clock, plan, tmp_path)
    console.closes()
    text = stream.getvalue()
    assert text.isprintable() or set(text) - {"\n"} == {c for c in text if c.isprintable()}
    lines = text.splitlines()
    assert lines[0].startswith("Minima: 2 studies, 5 networks to train; about ")
    assert sum(" % " in line for line in lines) >= 1
    assert len(lines) <= 4 + clock.now / 15
    assert [line.split()[:3] for line in lines if line.startswith("a-")] == [
        ["a-1", "supported", "0.280"],
        ["a-2", "refuted", "0.280"],
    ]
    assert all(line.rstrip().endswith("weights") for line in lines if line.startswith("a-"))
    assert lines[-3].startswith("Done in ")
    assert lines[-2] == "2 claims: 1 supported, 1 refuted"
    assert lines[-1].endswith("r.html")


@pytest.mark.parametrize("height", [24, 10, 6])
def test_a_terminal_has_one_screen_that_is_drawn_over_itself(plan, clock, tmp_path, monkeypatch, height):
    """What stays is its last state, in no line wider than the terminal and no more lines than it has."""
    monkeypatch.setenv("LINES", str(height))
    stream = Terminal()
    console = Console(plan, stream, clock)
    play(console, clock, plan, tmp_path)
    shown = seen(stream, height)
    assert shown.widest < COLUMNS
    assert len(shown.lines) <= height
    assert shown.seen().count("gone, about") == 1
    assert "100 %" in shown.seen()
    if height == 24:
        assert "first " in shown.seen()
        assert "a-2       refuted" in shown.seen()


def test_what_others_write_stands_above_the_screen_whole(plan, clock, tmp_path):
    """An error is not drawn over, and what was drawn before it leaves no trace."""
    stream = Terminal()
    console = Console(plan, stream, clock)
    play(console, clock, plan, tmp_path, fail=True)
    console.closes("log.txt")
    text = seen(stream).all()
    assert "".join(text.splitlines()).count("why") == 40
    assert "gone, about" not in text
    assert "Stopped after" in text
    assert text.rstrip().endswith("log.txt")


def test_jobs_that_leave_no_file_speak_for_themselves(plan, clock):
    """`plan` and `prune` print what was asked: nothing of ours stands around it."""
    stream = Terminal()
    console = Console(plan, stream, clock)
    console.begins({0: Job("plan", {}, ())}, 2)
    console.starts(0)
    console.ticks()
    console.ends(0)
    console.closes()
    assert stream.getvalue() == ""


def test_a_verdict_falls_once_unless_it_changes(plan, clock, tmp_path):
    stream = io.StringIO()
    console = Console(plan, stream, clock)
    path = tmp_path / "claims.json"
    jobs = {n: Job("judge_claims", {"within": ""}, (str(path),)) for n in range(3)}
    console.begins(jobs, 1)
    for number, verdict in enumerate(["supported", "supported", "inconclusive"]):
        path.write_text(json.dumps([claim("a-1", verdict)]), encoding="utf-8")
        console.ends(number)
    told = [line.split()[1] for line in stream.getvalue().splitlines() if line.startswith("a-1")]
    assert told == ["supported", "inconclusive"]
    console.closes()
    assert "1 claim: 1 inconclusive\n" in stream.getvalue(), "the later verdict is the one that counts"


def test_the_page_of_what_is_known_so_far_is_told_when_it_is_there(plan, clock, tmp_path):
    """Each study adds to one page: it is told once, and stands beside the verdicts on a terminal."""
    claims = tmp_path / "claims.json"
    claims.write_text(json.dumps([claim("a-1", "supported")]), encoding="utf-8")
    jobs = {
        0: Job("judge_study", {"within": "", "study": "first"}, (str(claims),)),
        1: Job("describe_study", {"within": "", "study": "first"}, ("results/first/section.json",)),
        2: Job("describe_study", {"within": "", "study": "second"}, ("results/second/section.json",)),
        3: Job("write_report", {"within": ""}, (plan.paths.report,)),
    }
    for stream in (io.StringIO(), Terminal()):
        console = Console(plan, stream, clock)
        console.begins(jobs, 1)
        for number in (0, 1, 2):
            console.ends(number)
        console.ticks()
        assert stream.getvalue().count(plan.paths.report) == 1
        console.ends(3)
        console.closes()
        assert stream.getvalue().count(plan.paths.report) == 2


def test_a_stream_of_few_characters_gets_those_that_it_has(plan, clock, tmp_path):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="")
    stream.isatty = lambda: True
    play(Console(plan, stream, clock), clock, plan, tmp_path)
    assert b"gone, about" in raw.getvalue()


def test_of_many_studies_those_on_their_way_are_shown():
    """Others are counted: the screen stays one."""
    steps = {n: Step(f"train {n}", studies={f"s{n}": 1}, networks=1, seconds=TRAIN) for n in range(40)}
    run = Progress(steps, {Key("", f"s{n}"): 1 for n in range(40)}, 9, 0.0)
    for number in range(20):
        run.begins(number, 0.0)
        run.ends(number, 1.0)
    for number in range(30, 39):
        run.begins(number, 1.0)
    lines = screen.block(run, [], 5.0, 79, 16)
    assert len(lines) <= 16
    assert sum("networks" in line or "network " in line for line in lines) == screen.ROWS
    assert any(line.startswith("s30 ") for line in lines)
    assert "and 34 more, 20 of them done" in lines
    assert "  and 6 more" in lines
