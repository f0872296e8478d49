"""Training programs of the kinds that people write, to be killed: `program.py NAME` runs one of them."""
