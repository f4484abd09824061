"""One module per family of senders, from their format to the contract's. Pure, like the rules."""
