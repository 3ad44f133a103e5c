"""A terminal of 80 × 24 characters, and what a command shows on it.

    python tests/workflow/terminal.py docs/first-run.txt make

runs `make` on such a terminal and writes what a person sees: the screen at some moments, and at the end all
that has scrolled by.
"""

import codecs
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

COLUMNS, ROWS = 80, 24
SEQUENCE = re.compile(r"\x1b\[([\d;?]*)([A-Za-z])")
MOMENTS = (5, 30, 60, 120, 240, 480, 960, 1920)  # seconds after the start at which the screen is written down


class Screen:
    """What a terminal shows of text with those control sequences that the console, pip and colours need."""

    def __init__(self, columns: int = COLUMNS, rows: int = ROWS) -> None:
        self.columns, self.rows = columns, rows
        self.lines = [""]  # with all that has scrolled by
        self.row = self.column = 0
        self.widest = 0  # line that was written, before any wrapping
        self.rest = ""

    def feed(self, text: str) -> None:
        text = self.rest + text
        position = 0
        while position < len(text):
            if text[position] == "\x1b":
                if not (found := SEQUENCE.match(text, position)):
                    break  # the rest of it is to come
                self.control(found[2], found[1])
                position = found.end()
            else:
                self.put(text[position])
                position += 1
        self.rest = text[position:]

    @property
    def top(self) -> int:
        """The first line that is seen."""
        return max(0, len(self.lines) - self.rows)

    def seen(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines[self.top :])

    def all(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines)

    def put(self, character: str) -> None:
        if character == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append("")
        elif character == "\r":
            self.column = 0
        elif character >= " ":
            if self.column == self.columns:
                self.column = 0
                self.put("\n")
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1
            self.widest = max(self.widest, self.column)

    def control(self, name: str, number: str) -> None:
        count = int(number) if number.isdigit() else 1
        if name == "A":
            self.row = max(self.top, self.row - count)
        elif name == "K":
            line = self.lines[self.row]
            self.lines[self.row] = "" if number == "2" else line[: self.column]
        elif name == "J":
            self.lines[self.row] = self.lines[self.row][: self.column]
            # What is below stays as empty lines: a terminal's screen does not shrink.
            self.lines[self.row + 1 :] = [""] * (len(self.lines) - self.row - 1)


class Recording:
    """A command on a terminal of its own, in a process group of its own."""

    def __init__(
        self, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.screen = Screen()
        self.text = ""
        self.begun = time.monotonic()
        ours, theirs = pty.openpty()
        ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", self.screen.rows, self.screen.columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"TERM": "xterm"} | dict(environment or {}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.terminal = ours
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def follow(self, every: float = 0.2) -> Iterator[float]:
        """Yields the seconds since the start, now and then, until the command has ended."""
        while True:
            yield time.monotonic() - self.begun
            if select.select([self.terminal], [], [], every)[0]:
                try:
                    data = os.read(self.terminal, 65536)
                except OSError:  # nobody writes to it any more
                    data = b""
                if not data:
                    self.process.wait()
                    os.close(self.terminal)
                    return
                text = self.decoder.decode(data)
                self.text += text
                self.screen.feed(text)

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)


def main(path: Path, command: Sequence[str]) -> int:
    recording, moments = Recording(command, Path.cwd()), list(MOMENTS)
    said = [f"$ {' '.join(command)}", "", f"(a terminal of {COLUMNS} × {ROWS}, at some moments)"]
    for seconds in recording.follow():
        if moments and seconds >= moments[0]:
            while moments and seconds >= moments[0]:
                moment = moments.pop(0)
            said += ["", f"── after {moment} s ".ljust(COLUMNS - 1, "─"), recording.screen.seen().rstrip()]
    said += ["", "── in the end, with all that has scrolled by ".ljust(COLUMNS - 1, "─")]
    said += [recording.screen.all().rstrip()]
    path.write_text("\n".join(said) + "\n", encoding="utf-8")
    return recording.process.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
