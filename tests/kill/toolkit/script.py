"""What a script under test imports: it tells where it stands, and waits there if it was told to.

Without the environment the toolkit sets, both do nothing, and the script is an ordinary one.
"""

import os

PROGRESS = "KILL_PROGRESS"
GATE = "KILL_GATE"
HOLD = "KILL_HOLD"

_progress: int | None = None


def say(*words: object) -> None:
    """One line, unbuffered, for the toolkit; at the line named by ``KILL_HOLD`` wait until the gate opens."""
    global _progress
    if PROGRESS not in os.environ:
        return
    if _progress is None:
        _progress = os.open(os.environ[PROGRESS], os.O_WRONLY)
    line = " ".join(map(str, words))
    os.write(_progress, f"{line}\n".encode())
    hold = os.environ.get(HOLD)
    if hold is not None and f"{line} ".startswith(f"{hold} "):
        # Opening a FIFO waits for its other end; a signal handler runs meanwhile, and may raise out of here.
        os.close(os.open(os.environ[GATE], os.O_RDONLY))
