"""A script that has nothing to do with this library: it counts, saves by itself, resumes. ``--fault`` breaks it."""

import argparse
import hashlib
import json
import time
from pathlib import Path

STEPS, EVERY = 40, 5
STATE = Path("ckpt/state.json")


def work(value: str) -> str:
    """Some milliseconds of it."""
    for _ in range(20000):
        value = hashlib.sha256(value.encode()).hexdigest()
    return value


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fault")
    fault = parser.parse_args().fault
    state = {"step": 0, "value": "0"}
    if fault == "clock":
        state["value"] = str(time.time_ns())
    if fault == "hash order":
        state["value"] = "".join({str(number) for number in range(30)})
    if STATE.exists():
        saved = json.loads(STATE.read_text())
        state = {**saved, "value": "0"} if fault == "forgets" else saved
        if fault == "fails at restart":
            raise RuntimeError("cannot open my own file")
    STATE.parent.mkdir(exist_ok=True)
    while state["step"] < STEPS:
        state = {"step": state["step"] + 1, "value": work(state["value"])}
        if state["step"] % EVERY == 0 and fault != "never saves":
            temporary = STATE.with_suffix(".tmp")
            temporary.write_text(json.dumps(state))
            temporary.replace(STATE)
    Path("final.txt").write_text(state["value"])


if __name__ == "__main__":
    main()
