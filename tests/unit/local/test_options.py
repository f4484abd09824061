"""What cannot be run together is refused before anything starts."""

from pathlib import Path

import pytest

from baton_local.errors import LocalError
from baton_local.options import Ports, Run

OWN = Path("own-keys.yaml")


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (Run(Path(), Ports("0.0.0.0"), "demo", demo=True, fresh=False), "everybody knows the demo's keys"),
        (Run(Path(), Ports("0.0.0.0"), "demo", demo=False, fresh=False), "everybody knows the demo's keys"),
        (Run(Path(), Ports(), "demo", demo=True, fresh=False, write_keys=OWN), "add --no-demo"),
        (Run(Path(), Ports(), "none", demo=True, fresh=False), "no policy 'none'"),
    ],
)
def test_it_is_said_what_does_not_go_together(run: Run, said: str) -> None:
    with pytest.raises(LocalError, match=said):
        run.check()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_own_keys_open_the_door_to_others(host: str) -> None:
    Run(Path(), Ports(host), "demo", demo=False, fresh=False, write_keys=OWN).check()
