"""The HTTP side of ingest, the only place that knows status codes."""
