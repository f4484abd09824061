"""Benchmarks: events per second and CPU time per event of each process, as medians of several rounds."""
