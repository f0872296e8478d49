"""A plain training loop that saves atomically and resumes exactly; ``--defect`` makes it one of the usual wrong ones.

The toolkit is tested against it: it must pass the exact loop, and name what each defect breaks.
"""

import argparse
import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.kill.toolkit.digests import digest
from tests.kill.toolkit.script import say

EPOCHS, BATCHES, EVERY = 3, 12, 5
DEFECTS = ("optimizer", "python", "gauss", "order", "torn", "old", "copy", "unstable")

_LATEST = Path("checkpoints/checkpoint_latest.pth")


class Loop:
    def __init__(self, defect: str | None) -> None:
        self.defect = defect
        torch.manual_seed(1)
        np.random.seed(1)
        random.seed(1)
        self.inputs = torch.randn(BATCHES, 6, 4)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.order = torch.randperm(BATCHES)
        self.step = 0
        if defect == "unstable":
            random.seed(os.urandom(8))

    def run(self) -> None:
        say("started")
        if _LATEST.exists():
            self.restore(torch.load(_LATEST, weights_only=True))
        else:
            _LATEST.parent.mkdir(exist_ok=True)
            self.save()
        say("begun")
        while self.step < EPOCHS * BATCHES:
            epoch, batch = divmod(self.step, BATCHES)
            if batch == 0:
                say("prologue", epoch + 1)
                self.order = torch.randperm(BATCHES)
            self.train(epoch + 1, batch + 1)
            if self.step % EVERY == 0 or self.step == 2 * BATCHES:
                self.save()
        final = {"step": self.step, "model": self.model.state_dict(), "draw": torch.rand(2)}
        Path("final.json").write_text(json.dumps(digest(final, "")))
        say("ended")

    def train(self, epoch: int, batch: int) -> None:
        inputs = self.inputs[self.order[batch - 1]]
        say("batch", epoch, batch, self.step + 1, "=", digest(inputs, "x")["x"])
        noise = random.random() + float(np.random.randn())  # one: the next is kept in hand
        loss = ((self.model(inputs) - noise) ** 2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.step += 1
        say("trained", epoch, batch, self.step, "=", loss.item().hex())

    def save(self) -> None:
        payload = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "streams": {
                "torch": torch.get_rng_state(),
                "python": json.dumps(random.getstate()),
                "numpy": _plain(np.random.get_state(legacy=False)),
            },
            "order": self.order,
            "unbroken": {"step": self.step},
        }
        temporary = _LATEST.with_name(f".{_LATEST.name}.{os.getpid()}-00000000.tmp")
        if self.defect == "torn":
            temporary = _LATEST
        with temporary.open("wb") as file:
            torch.save(payload, file)
            whole = file.tell()
            if self.defect == "torn":
                file.truncate(whole // 2)
                say("half written", self.step)
                file.seek(0)
                torch.save(payload, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(_LATEST)
        if self.step == 2 * BATCHES:
            say("to be named", self.step)
            torch.save(payload, _LATEST.with_name("checkpoint_epoch_2.pth"))

    def restore(self, payload: dict[str, Any]) -> None:
        self.model.load_state_dict(payload["model"])
        if self.defect != "optimizer":
            self.optimizer.load_state_dict(payload["optimizer"])
        torch.set_rng_state(payload["streams"]["torch"])
        version, words, cached = json.loads(payload["streams"]["python"])
        if self.defect != "python":
            random.setstate((version, tuple(words), cached))
        numpy = payload["streams"]["numpy"]
        if self.defect == "gauss":
            numpy = {**numpy, "has_gauss": 0, "gauss": 0.0}
        numpy["state"]["key"] = np.array(numpy["state"]["key"], dtype=np.uint32)
        np.random.set_state(numpy)
        if self.defect != "order":
            self.order = payload["order"]
        self.step = payload["unbroken"]["step"]
        if self.defect == "old":
            self.step -= 1


def _plain(state: Any) -> dict[str, Any]:
    inner = {**state["state"], "key": state["state"]["key"].tolist()}
    return {**state, "state": inner}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--defect", choices=DEFECTS)
    torch.set_num_threads(1)
    Loop(parser.parse_args().defect).run()
