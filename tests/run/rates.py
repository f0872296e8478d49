"""As a script's own module: it counts in globals of its own."""

so_far = 0
LOG: list[float] = []


def next_rate() -> float:
    global so_far
    so_far += 1
    LOG.append(0.1 / so_far)
    return LOG[-1]
