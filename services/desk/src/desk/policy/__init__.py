"""Policies for people: shown, compared, reviewed, tried on stored facts, and put into force."""
