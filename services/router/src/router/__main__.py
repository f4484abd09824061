"""The console script `router`: `serve` (the default) and `migrate`."""

from __future__ import annotations

from chassis.commands import service_commands
from router.settings import Settings

NAME = "router"


def serve(resume: bool, set_aside: frozenset[tuple[int, int]]) -> None:
    """Runs the service under its policy."""
    from chassis.process.serve import serve as serve_until
    from router.app import build
    from router.metrics import OUTCOMES

    settings = Settings.read()
    serve_until(settings, build(settings), OUTCOMES, resume=resume, set_aside=set_aside)


main = service_commands(
    "Hands each qualified lead to an owner, exactly once, and keeps its stages.", NAME, Settings.read, serve
)


if __name__ == "__main__":
    main()
