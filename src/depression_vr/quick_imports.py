"""Imports Lightning and all that it brings a fifth sooner; a command that needs it imports this first.

Thousands of modules make a million objects, which stay. Python's garbage collector would look through them
again and again meanwhile, and find nothing.

Ctrl-C meanwhile, which is most of a start, ends the process without a traceback, as it does later.

Whatever the process holds by then is frozen (`gc.freeze`): cycles of it are never collected. So it is for
commands, which hold nothing yet, not for modules that notebooks import. Where Lightning is imported already,
nothing is done.
"""

import gc
import sys

from depression_vr.errors import INTERRUPTED

if "pytorch_lightning" not in sys.modules:
    _collects = gc.isenabled()
    gc.disable()
    try:
        import pytorch_lightning  # noqa: F401
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        # never looked through, and so never written to: processes that read frames share their memory
        gc.freeze()
        if _collects:
            gc.enable()
