"""What cannot be run together is refused before anything starts."""

from pathlib import Path

import pytest

from baton_local.errors import LocalError
from baton_local.options import SERVICES, Ports, Run
from baton_local.services import Service

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


def test_the_inbox_is_started_if_its_file_names_a_topic(tmp_path: Path) -> None:
    (file := tmp_path / "inboxes.yaml").write_text("inboxes: []")
    run = Run(Path(), Ports(), "demo", demo=True, fresh=False, inboxes=file)
    assert run.names() == SERVICES
    file.write_text("inboxes: [{topic: crm, format: debezium, source: crm, class: server}]")
    assert (run.names(), run.topics()) == ((*SERVICES, "inbox"), ("crm",))
    assert run.ports.of_services(run.names())["inbox's ops"][1] == Ports.ops_base + len(SERVICES)
    assert Service("inbox", {}, Path("inbox.log"), "").command("serve").args[-2:] == ("ingest", "inbox")
    file.write_text("inboxes: [{topic: engagements}]")
    with pytest.raises(LocalError, match="inboxes cannot be read"):
        run.names()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_own_keys_open_the_door_to_others(host: str) -> None:
    Run(Path(), Ports(host), "demo", demo=False, fresh=False, write_keys=OWN).check()
