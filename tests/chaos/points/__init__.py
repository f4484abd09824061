"""The crash points of delivery.md §7.1, each reached on real processes of the services."""
