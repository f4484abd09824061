"""The whole relay as a user has it: real processes on real Kafka and Postgres."""
