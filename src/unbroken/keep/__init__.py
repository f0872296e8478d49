"""Keep: everything of a run that touches a disk. How it begins, what it saves and restores, how safe that is."""
