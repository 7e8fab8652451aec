"""The gateway under cProfile between two SIGUSR2; the second writes the profile.

The first argument is the file for it, the others are those of `zoom-gateway`.
"""

import cProfile
import signal
import sys
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gateway.cli.main import main

FILE = sys.argv.pop(1)
PROFILE = cProfile.Profile()


class Loop(uvloop.Loop):
    """Profiles from within a turn: a profiler sees only the thread that starts it."""

    _profiled = False

    def run_forever(self) -> None:
        self.add_signal_handler(signal.SIGUSR2, self._toggle)
        super().run_forever()

    def _toggle(self) -> None:
        self._profiled = not self._profiled
        if self._profiled:
            PROFILE.enable()
            return
        PROFILE.disable()
        written = Path(f"{FILE}.part")
        PROFILE.dump_stats(written)
        written.rename(FILE)


uvloop.new_event_loop = Loop  # what `serve` makes its loop with
main()
