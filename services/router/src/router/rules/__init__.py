"""Decisions of the router (business.md B.3, B.4, B.6). Pure; start reading at `route`."""
