"""The state of a run as lines of text that fit a terminal."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from minima.console.progress import Progress, Row
from minima.console.steps import counted
from minima.findings.words import NOT_ASKED, VERDICTS, duration, estimate

ROWS, RUNNING, FALLEN = 6, 3, 4  # lines of studies, of steps that run, of verdicts
NAME, BAR = 16, 20


class Fallen(NamedTuple):
    """`Fallen` is a verdict: of which claim, on which data set."""

    data_set: str
    claim: Mapping[str, Any]


def cut(text: str, width: int) -> str:
    """`cut` returns a text of at most so many characters."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def beside(left: str, right: str, width: int) -> str:
    """`beside` returns a line with a text at either end, of which the left one gives way."""
    left = left if len(left) + 2 + len(right) <= width else f"{left[: width - len(right) - 3]}…"
    return f"{left}{right:>{width - len(left)}}"


def bar(share: float, width: int) -> str:
    filled = int(share * width)
    return "█" * filled + "░" * (width - filled)


def header(progress: Progress, now: float) -> str:
    """`header` returns what the run is about to do."""
    studies = {study for step in progress.steps.values() for study in step.studies}
    data_sets = {step.data_set for step in progress.steps.values() if step.studies}
    what = [counted(len(progress.steps), "step")]
    if progress.networks:
        what = [counted(len(studies), "study"), f"{counted(progress.networks, 'network')} to train"]
        what[0] += f" on {len(data_sets)} data sets" if len(data_sets) > 1 else ""
    cores = counted(progress.cores, "job") + " at once" if progress.cores > 1 else "one job at a time"
    return f"Minima: {', '.join(what)}; about {duration(progress.left(now))}, {cores}"


def state(progress: Progress, now: float) -> str:
    """`state` returns how far the run is and when it will end, in a few words."""
    gone, left = duration(now - progress.begun), duration(progress.left(now))
    return f"{100 * progress.share(now):3.0f} %  {gone} gone, about {left} left"


def verdict(fallen: Fallen) -> str:
    """`verdict` returns a line: claim, verdict, what was found of its first part asked, statement."""
    claim = fallen.claim
    asked = [part for part in claim["parts"] if part["verdict"] != NOT_ASKED]
    found = estimate(asked[0])[0] if asked else ""
    name = f"{fallen.data_set} {claim['id']}" if fallen.data_set else claim["id"]
    return f"{name:<9} {claim['verdict']:<12} {found:>8}  {claim['statement']}"


def counts(claims: Sequence[Mapping[str, Any]]) -> str:
    """`counts` returns how many claims were judged, and how."""
    asked = Counter(claim["verdict"] for claim in claims if claim["verdict"] != NOT_ASKED)
    said = ", ".join(f"{asked[word]} {word}" for word in VERDICTS if asked[word])
    return f"{counted(asked.total(), 'claim')}: {said or 'none was asked'}"


def block(
    progress: Progress, verdicts: Sequence[Fallen], now: float, width: int, height: int, page: str = ""
) -> list[str]:
    """`block` returns the screen while the run goes on, with the page that says what is known so far: what
    matters most where few lines are there."""
    lines = [beside(bar(progress.share(now), width - 45), state(progress, now), width)]
    rows = list(_rows(list(progress.rows(now)), width))
    running = list(_running(progress, now, width))
    for part in (running, rows):
        if part and len(lines) + 1 + len(part) <= height:
            lines += ["", *part]
    if (room := height - len(lines) - 2) > 0 and verdicts:
        last = [cut(verdict(one), width) for one in verdicts[-min(FALLEN, room) :]]
        lines += ["", beside(counts([one.claim for one in verdicts]), page, width), *last]
    return lines


def _rows(rows: Sequence[Row], width: int) -> Iterator[str]:
    """`_rows` yields a line per study; of many, those that are on their way come first."""
    shown = rows if len(rows) <= ROWS else sorted(rows, key=lambda row: (row.done, row.share == 0))[:ROWS]
    for row in shown:
        name = " ".join(filter(None, row.key))
        networks = f"{row.networks:,} of {counted(row.of, 'network')}"
        left = "done" if row.done else f"{duration(row.seconds)} of work"
        yield beside(f"{cut(name, 2 * NAME):<{NAME}} {bar(row.share, BAR)}  {networks}", left, width)
    if others := len(rows) - len(shown):
        yield f"and {others} more, {sum(row.done for row in rows if row not in shown)} of them done"


def _running(progress: Progress, now: float, width: int) -> Iterator[str]:
    """`_running` yields a line per step that runs: for how long, of how long it is expected to."""
    known = [number for number in progress.running if number in progress.steps]
    for number in islice(known, RUNNING):
        since, expected = now - progress.running[number], progress.expected(number)
        times = f"{duration(since)} of about {duration(expected)}"
        yield beside(f"▸ {progress.steps[number].doing}", times, width)
    if len(known) > RUNNING:
        yield f"  and {len(known) - RUNNING} more"
