"""Makes `from shared_data import shared_data` work in every test, and steadies hypothesis."""

from __future__ import annotations

import os
import signal

# A shell starts what it puts in the background with Ctrl-C ignored, and children inherit that: the
# tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests are small: two threads gain nothing, and lose much where another program runs beside them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

# Times vary by a factor of ten between machines: a deadline would only test the machine.
settings.register_profile("sparrow", deadline=None, print_blob=True)
settings.load_profile("sparrow")
