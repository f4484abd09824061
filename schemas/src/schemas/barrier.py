"""Barriers: records that are no events, which sla-monitor writes to its inputs to know when all before is read."""

BARRIER_KEY = b"baton/barrier"
"""Every record with this key is a barrier, whoever wrote it."""
BARRIER_TYPE = "baton.barrier.v1"
