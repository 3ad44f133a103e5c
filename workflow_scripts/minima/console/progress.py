"""How far a run is, in expected seconds, and when it will end."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from minima.console.steps import Key, Step

PRIOR_SECONDS = 30.0  # of training at the expected pace: what the pace of the first packs is weighed against
MOST_UNFINISHED = 0.95  # of what is expected of a step counts before it has ended
OVERDUE = 0.05  # of what was expected is expected of a step that takes longer


class Row(NamedTuple):
    """`Row` is how far one study is, on one data set: networks that are there, and core seconds to go."""

    key: Key
    networks: int
    of: int
    share: float
    seconds: float
    done: bool


class Progress:
    """The state of a run: which of its steps run, have ended or failed. Times are of the caller's clock.

    Expected seconds are of the machine that the cost model was fitted on; `pace` is how many times as long
    training takes here and now, by the packs that have ended.
    """

    def __init__(
        self, steps: Mapping[int, Step], networks: Mapping[Key, int], cores: int, now: float
    ) -> None:
        self.steps, self.cores, self.begun = steps, max(1, min(cores, len(steps) or 1)), now
        self.running: dict[int, float] = {}  # step → since when
        self.ended: dict[int, float] = {}  # step → seconds
        self.failed: dict[int, Step] = {}
        self._networks = networks
        self._own = {
            key: [
                n for n, step in steps.items() if step.data_set == key.data_set and key.study in step.studies
            ]
            for key in networks
        }
        self._shown = 0.0
        self._took = self._expected = PRIOR_SECONDS  # of training that has ended, and what was expected of it

    def begins(self, number: int, now: float) -> None:
        self.running[number] = now
        self.failed.pop(number, None)  # another attempt

    def ends(self, number: int, now: float) -> None:
        if number not in self.steps or number in self.ended:
            return
        self.ended[number] = now - self.running.pop(number, now)
        if self.steps[number].networks:
            self._took += self.ended[number]
            self._expected += self.steps[number].seconds

    def fails(self, number: int) -> None:
        self.running.pop(number, None)
        if number in self.steps:
            self.failed[number] = self.steps[number]

    @property
    def pace(self) -> float:
        return self._took / self._expected

    @property
    def seconds(self) -> float:
        """`seconds` are those of all steps, on one core."""
        return sum(step.seconds for step in self.steps.values())

    @property
    def networks(self) -> int:
        """`networks` is how many the run is to train, or to find in the store."""
        return sum(step.networks for step in self.steps.values())

    @property
    def trained(self) -> int:
        return sum(self.steps[number].networks for number in self.ended)

    def share(self, now: float) -> float:
        """`share` returns what is done of all expected seconds; it never falls."""
        done = sum(self._done(number, now) * step.seconds for number, step in self.steps.items())
        self._shown = max(self._shown, done / self.seconds if self.steps else 1.0)
        return self._shown

    def left(self, now: float) -> float:
        """`left` returns the seconds until the run ends: all cores are busy, but none shares a step."""
        to_go = [self._to_go(number, now) for number in self.steps if number not in self.ended]
        return max([sum(to_go) / self.cores, *to_go]) if to_go else 0.0

    def rows(self, now: float) -> Iterator[Row]:
        """`rows` yields how far each study is that has a step of this run."""
        for key, all_of in self._networks.items():
            if not (own := self._own[key]):
                continue
            to_come = [number for number in own if number not in self.ended]
            missing = sum(self.steps[number].studies[key.study] for number in to_come)
            expected = sum(self.steps[number].seconds for number in own)
            done = sum(self._done(number, now) * self.steps[number].seconds for number in own)
            to_go = sum(self._to_go(number, now) for number in to_come)
            yield Row(key, all_of - missing, all_of, done / expected, to_go, not to_come)

    def expected(self, number: int) -> float:
        """`expected` returns the seconds that a step is expected to take, at the pace of this machine."""
        step = self.steps[number]
        return step.seconds * (self.pace if step.networks else 1.0)

    def _done(self, number: int, now: float) -> float:
        if number in self.ended:
            return 1.0
        if number not in self.running:
            return 0.0
        return min(MOST_UNFINISHED, (now - self.running[number]) / self.expected(number))

    def _to_go(self, number: int, now: float) -> float:
        expected = self.expected(number)
        since = now - self.running[number] if number in self.running else 0.0
        return max(expected - since, OVERDUE * expected)
