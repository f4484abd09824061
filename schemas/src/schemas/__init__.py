"""The contract of Baton: every event, the identity function, the time function, the topics, the policy format."""
