"""Train from the start, a checkpoint every 5 epochs: ``python Training.py``; all flags: ``--help``."""

import sys

from forecaster.cli import training

if __name__ == "__main__":
    sys.exit(training(sys.argv[1:]))
