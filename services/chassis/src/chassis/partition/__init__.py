"""The life of one partition: claim, decode, load, decide, commit, publish."""
