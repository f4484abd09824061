"""Access to Kafka."""
