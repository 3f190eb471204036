"""Draw a part of the figures in a second process.

Drawing takes half of the time of a large report, and matplotlib uses one core. The second process is a plain Python that gets
the audit on its standard input; it is not made by `multiprocessing`, which would run the main module of the user's program
again. Figures do not depend on each other, so their bytes are the same either way. If the second process fails, its figures
are drawn here.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairfer.audits.result import Audit
    from fairfer.report.figures.canvas import Picture

SHARE = ("label", "confusions", "human_agreement")
"""Kinds that the second process draws: about 40 % of the work, because it has to import matplotlib first."""

WORTHWHILE = 500
"""Rates of an audit from which a second process saves time."""

CORES = 2

_PROGRAM = "from fairfer.report.figures import draw_share; draw_share()"

Pictures = dict[str, "list[Picture]"]
"""Figures by kind."""


def is_worthwhile(audit: Audit) -> bool:
    """Whether a second process saves time."""
    return len(audit.rates) >= WORTHWHILE and (os.cpu_count() or 1) >= CORES and bool(sys.executable)


def start(audit: Audit, executor: ThreadPoolExecutor) -> Future[Pictures | None]:
    """Start drawing the kinds in `SHARE`; the result is ``None`` if that fails."""
    return executor.submit(_ask, audit.to_json())


def _ask(audit: str) -> Pictures | None:
    path = os.pathsep.join(filter(None, sys.path))  # the same fairfer, wherever it was found
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            input=audit.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            check=True,
        )
        pictures: Pictures = pickle.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, pickle.UnpicklingError, EOFError, AttributeError, ImportError):
        return None
    return pictures if set(pictures) == set(SHARE) else None
