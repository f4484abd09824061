"""Benchmarks: events per second and CPU time per event, every process apart, medians of several rounds."""
