"""Decisions of the router. Pure; start reading at `route`."""
