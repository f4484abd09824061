"""The Kafka door: topics of anybody's, read by the same formats and rules as what comes over HTTP."""
