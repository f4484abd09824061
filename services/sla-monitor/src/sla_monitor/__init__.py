"""Times the promised follow-ups and publishes each breach."""
