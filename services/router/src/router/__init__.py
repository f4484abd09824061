"""The router: hands a qualified lead to an owner, exactly once, and keeps its stages."""
