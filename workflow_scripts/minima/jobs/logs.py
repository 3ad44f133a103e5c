"""A job's log: what it says goes to its file, a failure's last words to the console too."""

import gc
import logging
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONSOLE_LINES = 8
CLEAR_BELOW = "\x1b[J"
# New objects between two looks for garbage. Of a job's imports up to 4·10⁵ objects stay, and at Python's own
# 700 a tenth of its start is spent on looking at them.
COLLECT_EVERY = 50_000


@contextmanager
def job_log(path: str) -> Iterator[None]:
    """Runs the body with logging to `path`; a failure is logged whole, told on the console, and exits with 1.

    SIGTERM (a cluster's time limit, scancel) ends the body like an exception: finished cells are written.
    """
    gc.set_threshold(COLLECT_EVERY)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
        logging.getLogger("minima").info("took %.1f seconds of CPU", time.process_time())
    except KeyboardInterrupt:
        logging.getLogger("minima").warning("interrupted from the keyboard")
        sys.exit(128 + signal.SIGINT)
    except Exception:
        text = traceback.format_exc().rstrip()
        logging.getLogger("minima").error("%s", text)
        last_lines = "\n".join(text.splitlines()[-CONSOLE_LINES:])
        clear = CLEAR_BELOW if sys.stderr.isatty() else ""  # of a screen that may be drawn there
        print(f"{clear}{last_lines}\nThe whole log: {path}", file=sys.stderr, flush=True)
        sys.exit(1)
    finally:
        logging.shutdown()
