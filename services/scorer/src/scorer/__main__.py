"""The console script `scorer`: `serve` (the default) and `migrate`."""

from __future__ import annotations

from chassis.commands import service_commands
from scorer.settings import Settings

NAME = "scorer"


def serve(resume: bool, set_aside: frozenset[tuple[int, int]]) -> None:
    """Runs the service under its policy."""
    from chassis.process.serve import serve as serve_until
    from scorer.app import build
    from scorer.metrics import outcomes_of

    settings = Settings.read()
    service = build(settings)
    serve_until(settings, service, outcomes_of(service.bands), resume=resume, set_aside=set_aside)


main = service_commands("Keeps every lead's score and explains each point.", NAME, Settings.read, serve)


if __name__ == "__main__":
    main()
