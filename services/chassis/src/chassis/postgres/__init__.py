"""What speaks to Postgres, beside the journal."""
