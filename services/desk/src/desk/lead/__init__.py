"""One lead: its score explained, its stage, its clocks; and its erasure."""
