"""What the training program's network is worth beside ridge regression and HAR: ``python -m benchmarks.forecaster``."""
