"""The audit: runs a user's script whole and killed, compares the two step by step, and says what is not the same."""
