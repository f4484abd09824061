"""Deterministic simulation: the real workers and rules on a log, a store and a scheduler that a seed decides.

`python -m tests.simulation --help` runs seeds by hand. What is a fake here passes the contract suite of the real thing
(test_contract_*.py); what goes wrong is in `scenario`, what must hold all the same in `oracle`.
The family `names` (in `names`, judged by `promises`) has people under many names: links, merges, a shared device.
"""
