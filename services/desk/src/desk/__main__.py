"""The console script `baton`: one command for everything that a person does with a relay."""

from __future__ import annotations

import typer

from desk.auditing import audit
from desk.inbox import inbox
from desk.keys import keys
from desk.lead import commands as lead
from desk.lead.conflicts import conflicts
from desk.lead.erasure import erase, suppress
from desk.lead.merging import merge, unmerge
from desk.letters import commands as letters
from desk.letters.help import KINDS
from desk.policy.commands import policy
from desk.terminal import wrap_help

main = typer.Typer(
    help="Looks at a running relay and acts on it. It finds the one that `make run` started in this folder by itself.",
    no_args_is_help=True,
)
for command in (lead.lead, lead.explain, lead.show, lead.due, conflicts, merge, unmerge, audit, erase, suppress):
    main.command()(command)
for name, verbs in (
    ("policy", policy),
    *((kind, letters.verbs(kind)) for kind in KINDS),
    ("keys", keys),
    ("inbox", inbox),
):
    main.add_typer(verbs, name=name)
wrap_help(main)


if __name__ == "__main__":
    main()
