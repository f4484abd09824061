"""The scorer: keeps every lead's score, and publishes it when it changes."""
