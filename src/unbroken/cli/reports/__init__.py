"""Reports: what is recorded of a run, as one page to look at and as a screen that is watched."""
