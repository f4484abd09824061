"""Access to Postgres, except for the journal."""
