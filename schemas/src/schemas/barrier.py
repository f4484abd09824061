"""A record that is no event: sla-monitor writes it to its inputs, to know when it has read what was there before."""

BARRIER_KEY = b"baton/barrier"
"""Whatever has this key is a barrier, whoever wrote it."""
BARRIER_TYPE = "baton.barrier.v1"
