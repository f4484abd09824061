"""A policy in words: shown, compared, and reviewed before it is agreed on. Nothing here decides about a lead."""
