"""The journal of training: who trained what, where and how long, for `results/provenance.json`.

    results/journal/<pack>.jsonl    a line per shard that was written for the pack, in the order of writing

Results are the same on every machine, so nothing of this stands in the store.
"""

import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Journal:
    """One job's entries; without a path they are dropped."""

    def __init__(self, path: Path | None, device: str) -> None:
        self.path = path
        self.place = {
            "device": device,
            "host": socket.gethostname(),
            "job": os.environ.get("SLURM_JOB_ID"),
            "visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
        }
        self.wall, self.cpu = time.monotonic(), time.process_time()

    def wrote(self, shard: Path, cells: int) -> None:
        """Notes a shard, and the time since the one before it (or since the beginning)."""
        wall, cpu = time.monotonic(), time.process_time()
        entry = self.place | {
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "shard": f"{shard.parent.name}/{shard.name}",
            "cells": cells,
            "seconds": round(wall - self.wall, 3),
            "cpu_seconds": round(cpu - self.cpu, 3),
        }
        self.wall, self.cpu = wall, cpu
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(entry, sort_keys=True) + "\n")


def entries(path: Path) -> Iterator[dict[str, Any]]:
    """The entries of one pack; a line that a killed job left unfinished is passed over."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else ()
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue
