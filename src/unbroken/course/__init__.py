"""Course: what happens at the beginning of a run, at the boundaries of its epochs and batches, and at its end."""
