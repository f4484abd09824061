"""The console script `sla-monitor`: `serve` (the default) and `migrate`."""

from __future__ import annotations

from chassis.commands import service_commands
from sla_monitor.settings import Settings

NAME = "sla-monitor"


def serve(resume: bool, set_aside: frozenset[tuple[int, int]]) -> None:
    """Runs the service under its policy."""
    from chassis.process.serve import serve as serve_until
    from sla_monitor.app import build
    from sla_monitor.metrics import outcomes_of

    settings = Settings.read()
    service = build(settings)
    serve_until(settings, service, outcomes_of(service.clocks), resume=resume, set_aside=set_aside)


main = service_commands("Times the promised follow-ups and publishes each breach.", NAME, Settings.read, serve)


if __name__ == "__main__":
    main()
