"""Go on from the newest checkpoint: ``python resume_training.py``; ``--list`` shows all there are."""

import sys

from forecaster.cli import resume


def list_checkpoints(folder: str) -> int:
    """As ``unbroken list``; imported here, so that neither command loads what it doesn't need."""
    from unbroken.cli import main

    return main(["list", folder])


if __name__ == "__main__":
    sys.exit(resume(sys.argv[1:], list_checkpoints=list_checkpoints))
