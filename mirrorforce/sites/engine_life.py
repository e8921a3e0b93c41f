"""A dynamic provider's process ends when the engine is gone, however it went."""

from __future__ import annotations

import os
import threading

_STANDARD_INPUT = 0


def end_with_the_engine() -> None:
    """End this process when the engine is gone: the engine holds our standard input open.

    Without this a killed engine would leave its providers behind, at work on hosts or asleep for ever.
    What they were at is taken up by the next run.
    """

    def watch() -> None:
        while os.read(_STANDARD_INPUT, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
