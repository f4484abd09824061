"""The contract of ingest's routes for senders: described once, as OpenAPI and as a page."""
