"""What speaks to Kafka."""
