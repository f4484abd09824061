"""The crash points of delivery.md §7.1, each struck for real on services that run as processes."""
