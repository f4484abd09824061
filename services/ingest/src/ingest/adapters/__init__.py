"""One module per family of senders: from their words to the contract's. Pure, like the rules."""
