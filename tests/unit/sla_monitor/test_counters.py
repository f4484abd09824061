"""Every outcome that a decision counts is exported, and nothing else is."""

from schemas.sales import SalesDisqualified
from sla_monitor.metrics import outcomes_of
from tests.builders import a_handoff, a_qualification, a_sales_activity, at
from tests.unit.sla_monitor.driver import Play, a_monitor, handed_off


def test_every_total_has_a_counter_and_every_counter_a_total() -> None:
    play = Play()
    play.hear(a_qualification())
    play.hear(a_handoff())
    play.tick(at(30))
    play.tick(at(62), known=at(0))
    play.tick(at(63))
    play.hear(a_sales_activity(time=at(40)), now=at(64))
    play.hear(a_sales_activity(SalesDisqualified, reason="duplicate", time=at(39)), now=at(65))
    assert {key.split(":")[0] for key in play.counts} == {outcome.total for outcome in outcomes_of(play.monitor.clocks)}


def test_totals_name_clocks_of_the_policy_only() -> None:
    play = handed_off()
    play.tick(at(61))
    assert {key.split(":")[1] for key in play.counts} <= set(play.monitor.clocks)


def test_every_clock_of_the_policy_is_a_label_before_anything_happened() -> None:
    clocks = ("CK-M1", "CK-S1", "CK-S2", "CK-S3", "CK-S4")
    assert {(outcome.label, outcome.values) for outcome in outcomes_of(a_monitor().clocks)} == {("clock", clocks)}
