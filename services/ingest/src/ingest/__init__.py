"""HTTP in, Kafka out: success only after the broker acknowledged."""
