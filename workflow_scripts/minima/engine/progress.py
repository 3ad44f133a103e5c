"""Progress lines in the log of a long training."""

import logging
import time

from torch import Tensor

logger = logging.getLogger("minima")

LOG_SECONDS = 10.0


class Progress:
    """`Progress` logs step, largest residual, running networks and time left, every ten seconds."""

    def __init__(self, networks: int) -> None:
        self.networks = networks
        self.last = time.monotonic()
        self.last_step = 0

    def due(self) -> bool:
        return time.monotonic() - self.last >= LOG_SECONDS

    def line(self, step: int, max_steps: int, residual: Tensor, running: int) -> None:
        now = time.monotonic()
        left = (max_steps - step) * (now - self.last) / max(step - self.last_step, 1)
        logger.info(
            "step %d: %d of %d networks running, largest residual %.1e, at most %.0f s left",
            step,
            running,
            self.networks,
            float(residual.max()),
            left,
        )
        self.last, self.last_step = now, step
