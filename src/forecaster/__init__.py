"""The training program: forecasts stocks from daily bars, resumable by the public API of ``unbroken``."""
