"""The crash points, each reached on real processes of the services."""
