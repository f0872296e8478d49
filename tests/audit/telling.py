"""A training without torch: it counts, tells a trace as a real one does, saves, and resumes. ``--fault`` breaks it.

So that the audit's own work can be tested in processes that start at once.
"""

import argparse
import hashlib
import json
import random
import signal
import sys
import time
from pathlib import Path

from unbroken.loop.trace import Group, Kind, Mark, Name, trace_file

EPOCHS, BATCHES = 4, 5
FOLDER = Path("checkpoints")
LATEST = FOLDER / "checkpoint_latest.pth"

ORDER, LOSS = Name(Group.ORDER, "batches"), Name(Group.AVERAGE, "train_losses")
WEIGHT, PYTHON = Name(Group.MODEL, "model.weight"), Name(Group.STREAM, "python")
COUNT, FILES = Name(Group.VARIABLE, "count", Mark.HINT), Name(Group.VARIABLE, "files", Mark.HINT)


class Training:
    def __init__(self, fault: str | None) -> None:
        self.fault = fault
        self.stopped = False
        self.step, self.weight, self.loss, self.count, self.order = 0, 0.0, 0.0, 0, ""
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "stopped", True))
        self.file = trace_file(lambda: self.stopped)
        self.files = list({str(number) for number in range(30)})
        if fault == "clock":
            self.weight = float(time.time_ns() % 10**6)

    def run(self) -> None:
        self.tell(Kind.START)
        resumed = LATEST.exists() and self.fault != "starts over"
        if resumed:
            self.restore()
        else:
            FOLDER.mkdir(exist_ok=True)
            self.save(quietly=True)
        self.tell(Kind.BEGIN, resumed_from=str(LATEST) if resumed else None)
        while self.step < EPOCHS * BATCHES:
            self.train()
            if self.step % BATCHES == 0:
                self.tell(Kind.EPOCH)
                self.save()
            if self.stopped:
                self.save()
                sys.exit(75)
        self.tell(Kind.END)
        Path("final.txt").write_text(f"{self.weight!r} {self.count if self.fault == 'final' else ''}")

    def train(self) -> None:
        self.count += 1
        self.step += 1
        self.loss = 1 / self.step
        if self.fault == "counter":
            self.loss += self.count / 100
        if self.fault == "hash order":
            self.order = hashlib.sha256("".join(self.files).encode()).hexdigest()
            self.loss += int(self.order, 16) % 97
        self.weight = self.weight * 0.9 + self.loss
        self.tell(Kind.STEP)

    def tell(self, kind: Kind, **facts: object) -> None:
        if self.file is None:
            return
        values = {WEIGHT: repr(self.weight), PYTHON: str(random.getstate()[1][0]), COUNT: str(self.count)}
        if self.step % BATCHES:
            values[LOSS] = repr(self.loss)
        if kind is Kind.STEP:
            values[ORDER] = self.order
        if self.fault == "hash order":
            values[FILES] = f"30 {hashlib.sha256(''.join(self.files).encode()).hexdigest()[:16]}"
        epoch, batch = divmod(self.step, BATCHES)
        if kind is Kind.STEP:
            epoch, batch = (epoch + 1, batch) if batch else (epoch, BATCHES)
        self.file.write(kind, run=str(FOLDER), step=self.step, epoch=epoch, batch=batch, values=values, facts=facts)

    def save(self, *, quietly: bool = False) -> None:
        temporary = LATEST.with_suffix(".tmp")
        temporary.write_text(json.dumps({"step": self.step, "weight": self.weight, "loss": self.loss}))
        temporary.replace(LATEST)
        if not quietly:
            self.tell(Kind.SAVE)

    def restore(self) -> None:
        saved = json.loads(LATEST.read_text())
        self.step, self.weight, self.loss = saved["step"], saved["weight"], saved["loss"]
        if self.fault == "lossy":
            self.weight = round(self.weight, 3)
        if self.fault == "fails at restart":
            raise RuntimeError("cannot open my own file")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--fault")
    Training(parser.parse_args().fault).run()
