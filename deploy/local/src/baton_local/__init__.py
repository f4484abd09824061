"""The whole relay on one machine: `python -m baton_local run`, and the stack for the tests."""
