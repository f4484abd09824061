"""What was agreed, in words: shown, compared, reviewed, tried on stored facts, and put into force."""
