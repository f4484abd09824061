"""One lead as people see it: its score explained, where it stands, its clocks; and forgetting it."""
