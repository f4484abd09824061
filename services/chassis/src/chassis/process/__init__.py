"""One process: its start, settings, logs, metrics, failures and end."""
