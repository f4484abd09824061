"""The router as the chassis drives it."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from chassis.policy import PolicyError
from chassis.process.settings import Database
from chassis.service import REPLACED, At, Drop, Keep, Recall
from router.app import ROTATION, Router, build
from router.rules.lead import Lead
from router.settings import Settings
from schemas.engagements import LeadDescribed
from schemas.envelope import Refused
from schemas.sales import SalesContacted
from tests.builders import LEAD, NOON, a_description, a_fact, a_sales_activity, a_score, at, the
from tests.unit.router.journeys import a_step

POLICIES = Path(__file__).parents[3] / "deploy" / "policies"


@pytest.fixture
def router() -> Router:
    return build(settings())


def settings(policy: str = "classic-50") -> Settings:
    return Settings(database=Database(url=SecretStr("postgresql://nobody@localhost/none")), policies=POLICIES / policy)


def test_a_handoff_takes_the_turn_that_all_partitions_share(router: Router) -> None:
    first = the(Keep, router.decide(router.new(LEAD), a_fact(a_score(65)), At(NOON, NOON, {ROTATION: None})))
    later = the(Keep, router.decide(router.new(LEAD), a_fact(a_score(65)), At(NOON, NOON, {ROTATION: {"next": 4}})))

    assert router.shared == (ROTATION,)
    assert (first.shared, later.shared) == ({ROTATION: {"next": 1}}, {ROTATION: {"next": 5}})
    assert [d.state.episode.owner.id for d in (first, later) if d.state.episode] == ["grace", "linus"]


def test_what_changes_nothing_keeps_the_very_same_state(router: Router) -> None:
    lead = the(Keep, router.decide(router.new(LEAD), a_fact(a_score(65, 2)), At(NOON, NOON))).state

    for event in (a_score(65, 1), a_score(65, 2, id="again"), a_sales_activity(SalesContacted)):
        decision = router.decide(lead, a_fact(event), At(NOON, NOON))
        assert not isinstance(decision, Recall)
        assert decision.state is lead


def test_a_newer_score_replaces_the_older_fact_and_an_older_one_is_not_kept(router: Router) -> None:
    lead, kept = router.new(LEAD), set[tuple[str, str]]()
    for version in (1, 4, 2, 4, 3, 5, 1):
        fact = a_fact(a_score(65, version, id=f"v{version}"))
        decision = router.decide(lead, fact, At(NOON, NOON))
        if isinstance(decision, Keep):
            kept = (kept - {*decision.replaces}) | {fact.key}
        else:
            decision = the(Drop, decision)
            assert decision.reason == REPLACED
            assert decision.state is lead
        lead = decision.state
        assert len(kept) == 1

    assert kept == {("tests", "v5")}


def test_a_lead_of_before_scores_were_replaced_replaces_from_its_next_but_one_on(router: Router) -> None:
    old = replace(the(Keep, router.decide(router.new(LEAD), a_fact(a_score(65, 7)), At(NOON, NOON))).state, scored=None)

    first = the(Keep, router.decide(old, a_fact(a_score(65, 8)), At(NOON, NOON)))
    second = the(Keep, router.decide(first.state, a_fact(a_score(65, 9)), At(NOON, NOON)))

    assert (first.replaces, second.replaces) == ([], [("tests", "score-8")])


def test_decisions_are_counted(router: Router) -> None:
    decision = the(Keep, router.decide(router.new(LEAD), a_fact(a_score(65)), At(NOON, NOON)))
    assert decision.counts == {"qualified": 1, "handed_off": 1}

    refusal = the(Keep, router.decide(decision.state, a_fact(a_step("won")), At(NOON, NOON)))
    assert (refusal.counts, refusal.shared) == ({"stage_rejected": 1}, {})


def test_a_lead_reads_back_as_it_was_kept(router: Router) -> None:
    lead = Lead(LEAD)
    for event in (
        a_score(65),
        a_step("accepted", 3, episode=1),
        a_step("won", 4),
        a_step("recycled", 5),
        a_score(70, 2),
    ):
        lead = the(Keep, router.decide(lead, a_fact(event), At(NOON, NOON))).state
        kept = router.dump(lead)

        assert router.load(LEAD, kept) == lead
        assert router.dump(router.load(LEAD, kept)) == kept
        assert json.loads(kept)["lead_id"] == LEAD


def test_the_end_of_the_cool_off_is_a_tick(router: Router) -> None:
    lead = router.new(LEAD)
    for event in (a_score(65), a_step("recycled", 5)):
        lead = the(Keep, router.decide(lead, a_fact(event), At(NOON, NOON))).state
    waiting = the(Keep, router.decide(lead, a_fact(a_score(70, 2, as_of=at(6))), At(at(6), at(6))))
    assert waiting.due == at(5) + timedelta(days=30)

    opened = the(Keep, router.tick(waiting.state, At(waiting.due, waiting.due)))

    assert (opened.state.number, opened.due, opened.counts["handed_off"]) == (2, None, 1)


def test_the_router_reads_scores_and_sales_activities_only(router: Router) -> None:
    assert set(router.inputs) == {"lead-scores", "sales-activities"}
    description = a_description()
    assert isinstance(description, LeadDescribed)
    event = router.inputs["lead-scores"].event(description.encode())

    assert the(Keep, router.decide(Lead(LEAD), a_fact(event), At(NOON, NOON))).events == ()
    with pytest.raises(Refused, match="invalid_event"):
        router.inputs["lead-scores"].event(a_score(65).encode().replace(b'"score":65.0', b'"score":"much"'))


def test_a_folder_without_policies_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=str(tmp_path)):
        build(settings().model_copy(update={"policies": tmp_path}))
