"""The desk: everything that a person does with a relay, by one command, `baton`. No service imports it."""
