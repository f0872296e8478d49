"""What saving, loading and resuming cost, ours and others', side by side in one run."""
