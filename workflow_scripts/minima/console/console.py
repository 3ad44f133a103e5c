"""A run on a terminal: one screen that is drawn again and again; elsewhere: lines, one after the other."""

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from minima.console import screen
from minima.console.progress import Progress
from minima.console.screen import Fallen
from minima.console.steps import Job, counted, networks_of, steps_of
from minima.findings.words import NOT_ASKED, duration
from minima.jobs.logs import CLEAR_BELOW
from minima.plan.workplan import Plan

LINES_EVERY, TOLD_EVERY = 15.0, 60.0  # seconds between two plain lines: where steps end, and where none does
MOST_LINES = 16  # of the screen
CLEAR_RIGHT, UP = "\x1b[K", "\x1b[{}A"


class Console:
    """What a person sees of a run. On a terminal the cursor rests where the screen begins, at the left: so
    what others write, a job that fails or Snakemake, stands above the next screen, whole."""

    def __init__(self, plan: Plan, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.plan, self.stream, self.clock = plan, stream, clock
        self.live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.progress: Progress | None = None
        self.verdicts: list[Fallen] = []
        self._pages: list[str] = []
        self._told = 0.0

    def begins(self, jobs: Mapping[int, Job], cores: int) -> None:
        """`begins` is told which jobs are to be done. Those that leave no file, like `plan`, speak for
        themselves."""
        jobs = {number: job for number, job in jobs.items() if job.outputs}
        if not jobs:
            return
        steps = steps_of(self.plan, jobs)
        networks = networks_of(self.plan, {step.data_set for step in steps.values()})
        self.progress = Progress(steps, networks, cores, self.clock())
        self._told = self.clock()
        self._say(screen.header(self.progress, self.clock()))
        self.draw()

    def starts(self, number: int) -> None:
        if self.progress and number in self.progress.steps:
            self.progress.begins(number, self.clock())

    def ends(self, number: int) -> None:
        if not self.progress or number not in self.progress.steps:
            return
        self.progress.ends(number, self.clock())
        for path in map(Path, self.progress.steps[number].outputs):
            if path.name == "claims.json":
                self._judged(self.progress.steps[number].data_set, path)
            elif path.name == "section.json":  # the page of what is known so far is written beside it
                self._reports(self.plan.of(self.progress.steps[number].data_set).paths.report, "So far: ")
            elif path.suffix == ".html":
                self._reports(str(path))
        if not self.live and len(self.progress.ended) < len(self.progress.steps):
            self._tell(LINES_EVERY)

    def fails(self, number: int) -> None:
        if self.progress:
            self.progress.fails(number)

    def ticks(self) -> None:
        """`ticks` is called every second, whether something happens or not."""
        if self.live:
            self.draw()
        else:
            self._tell(TOLD_EVERY)

    def clears(self) -> None:
        """`clears` makes room for what others say."""
        if self.live and self.progress:
            self._write(CLEAR_BELOW)

    def draw(self) -> None:
        """`draw` shows the screen, and leaves the cursor where it begins."""
        if not self.live or not self.progress:
            return
        size = shutil.get_terminal_size()
        width, height = size.columns - 1, min(MOST_LINES, size.lines - 3)
        page = self._pages[0] if self._pages else ""
        lines = screen.block(self.progress, self.verdicts, self.clock(), width, height, page)
        up = UP.format(len(lines) - 1) if len(lines) > 1 else ""
        self._write("\n".join(line + CLEAR_RIGHT for line in lines) + CLEAR_BELOW + up + "\r")

    def closes(self, log: str = "") -> None:
        """`closes` says what came of the run, and where it is to be found."""
        if not (progress := self.progress):
            return
        self.clears()
        self.progress, took = None, duration(self.clock() - progress.begun)
        if len(progress.ended) == len(progress.steps):
            trained = f": {counted(progress.trained, 'network')}" if progress.trained else ""
            self._say(f"Done in {took}{trained}.")
        else:
            done = f"{len(progress.ended)} of {counted(len(progress.steps), 'step')}"
            self._say(f"Stopped after {took}: {done} done, {len(progress.failed)} failed.")
            for step in progress.failed.values():
                self._say(f"  failed: {step.doing}")
            self._say("Networks that were trained are kept: the same command goes on from there.")
            if log:
                self._say(f"All that was said: {log}")
        for data_set in dict.fromkeys(one.data_set for one in self.verdicts):
            said = screen.counts([one.claim for one in self.verdicts if one.data_set == data_set])
            self._say(f"{data_set}: {said}" if data_set else said)
        for page in self._pages:
            self._say(f"To be read in a browser: {page}")

    def _judged(self, data_set: str, path: Path) -> None:
        known = {(one.data_set, one.claim["id"]): one for one in self.verdicts}
        for claim in json.loads(path.read_text(encoding="utf-8")):
            before = known.get((data_set, claim["id"]))
            if claim["verdict"] == NOT_ASKED or (before and before.claim["verdict"] == claim["verdict"]):
                continue
            if before:
                self.verdicts.remove(before)
            self.verdicts.append(Fallen(data_set, claim))
            if not self.live:
                self._say(screen.verdict(self.verdicts[-1]))

    def _reports(self, page: str, words: str = "") -> None:
        """`_reports` remembers a page that can be read, and tells of one that is there before its time."""
        if page not in self._pages:
            self._pages.append(page)
            if words and not self.live:
                self._say(f"{words}{page}")

    def _tell(self, every: float) -> None:
        """`_tell` writes a line of how far the run is, unless it did so a moment ago."""
        if self.progress and self.clock() - self._told >= every:
            self._told = self.clock()
            self._say(screen.state(self.progress, self.clock()))

    def _say(self, text: str) -> None:
        """`_say` writes a line that stays."""
        self._write(f"{text.rstrip()}{CLEAR_RIGHT if self.live else ''}\n")

    def _write(self, text: str) -> None:
        """`_write` writes at once, in characters that the stream has."""
        encoding = self.stream.encoding or "utf-8"
        self.stream.write(text.encode(encoding, "replace").decode(encoding))
        self.stream.flush()
