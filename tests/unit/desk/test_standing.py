"""What `baton show` says of a lead."""

import pytest
from typer.testing import CliRunner

from desk.__main__ import main
from desk.lead.standing import overview, tell
from router.rules.lead import Lead
from schemas.handoffs import handoff_id_of
from schemas.scores import PolicyRef
from tests.builders import LEAD, NOON, a_policy, a_score
from tests.unit.router.journeys import a_context, a_handed_off_lead, a_step, go


def shown(lead: Lead, policy: str = "classic-50") -> str:
    return "\n".join(tell(overview(lead, a_context(NOON, a_policy(policy)))))


def test_a_handed_off_lead_is_shown_with_owner_gate_stages_and_targets() -> None:
    assert shown(go(a_handed_off_lead(), a_step("qualified", 4), a_step("won", 5)).lead) == "\n".join(
        (
            f"Lead      Ada <ada@example.com>, {LEAD}",
            "Stage     sql since 2026-03-02 12:04:00",
            "Score     65",
            "Owner     Grace <grace@example.com>",
            "Episode   1, low intent, 65 points, policy classic-50 version 1",
            f"Handoff   {handoff_id_of(LEAD, 1)}",
            "Target    CK-S2         1d",
            "Target    CK-S3         5d",
            "Target    CK-S4         10d",
            "          when they are due, and whether they were met: baton due --all",
            "Entered   mql           2026-03-02 12:00:00",
            "Entered   handed_off    2026-03-02 12:00:00",
            "Entered   sal           2026-03-02 12:04:00  (implied)",
            "Entered   sql           2026-03-02 12:04:00",
            "Gate      at the handoff: held since 2026-03-02 12:00:00",
            "  true    band           score 65 is in band pass (> 50) since 2026-03-02 12:00",
            "  true    contactable    an e-mail address is known since 2026-03-02 12:00",
            "  false   high_intent    has not asked for sales, so no fast track",
            "Refused   deal.won of 2026-03-02 12:05:00 (event won-5)",
        )
    )


def test_a_lead_that_does_not_qualify_is_shown_with_what_it_lacks() -> None:
    strict = a_score(65, policy=PolicyRef(name="strict-70", version=1), facts={"fit_profile": None})
    lead = go(Lead(LEAD), strict, policy=a_policy("strict-70")).lead

    view = overview(lead, a_context(NOON, a_policy("strict-70")))

    assert view.missing == ("band", "double_opt_in", "fit_profile")
    assert "Next      no episode: band, double_opt_in, fit_profile are false" in tell(view)
    assert "  false   band           score 65 is in band nurture, below pass (>= 70)" in tell(view)


def test_a_step_refused_for_coming_early_and_taken_since_is_not_shown_as_refused() -> None:
    early = go(a_handed_off_lead(), a_step("won", 5)).lead
    assert "Refused   deal.won" in shown(early)

    assert "Refused" not in shown(go(early, a_step("opportunity", 4)).lead)


def test_a_lead_without_a_score_is_shown_as_not_judged() -> None:
    assert "not judged: the lead has no score yet" in shown(go(Lead(LEAD), a_step("accepted")).lead)


@pytest.mark.parametrize(
    ("end", "score", "said"),
    [
        ({"step": "recycled"}, None, "the lead has done nothing that earns points since episode 1 ended"),
        ({"step": "recycled"}, 66, "an episode opens at 2026-04-01 12:10:00: the gate holds"),
        ({"step": "recycled"}, 40, "no episode: band is false"),
        ({"step": "disqualified", "reason": "competitor"}, 66, "ended as disqualified for good: competitor"),
    ],
)
def test_after_an_episode_it_is_shown_when_the_next_one_opens(end: dict[str, str], score: float, said: str) -> None:
    lead = go(a_handed_off_lead(), a_step(minutes=10, **end)).lead
    rescored = [a_score(score, 2, as_of=a_step("won", 20).time)] if score else []

    assert said in shown(go(lead, *rescored).lead)


def test_the_command_takes_no_name_that_identifies_nobody() -> None:
    answer = CliRunner().invoke(main, ["show", "undefined"])

    assert answer.exit_code == 2
    assert "expected an e-mail address" in answer.output
