"""Changes of classic-50's terms, and the sentence for each."""

from typing import Any

from tests.builders import a_policy
from tests.unit.scorer.drafts import a_draft, done, sized

CLASSIC = a_draft()
RULES: list[dict[str, Any]] = a_policy("classic-50").model_dump(mode="json", by_alias=True, exclude_none=True)[
    "scoring"
]["rules"]
NEW = done("visits", "docs", count=(">=", 2), points=1)
VISITED, OPENED = "viewing the pricing page, more than 3 times", "opening an e-mail, at least 5 times"
EACH = {**RULES[5], "award": "per_event", "total_cap": 30}
CHANGES: list[tuple[dict[str, Any], list[str]]] = [
    ({"scoring__rules__5__points": 15}, ["downloading a case study: 15 points, were 10"]),
    ({"scoring__rules__5__points": 1}, ["downloading a case study: 1 point, were 10"]),
    ({"scoring__rules__5__group": "fit"}, ["downloading a case study: counts as fit, was engagement"]),
    (
        {"scoring__rules__5__exclusive": "dl"},
        [
            'downloading a case study: of "dl" only the first that is true pays, was: pays whatever else does',
        ],
    ),
    (
        {"scoring__rules__0__attribute__between": [10, 400]},
        ["rule size_small: a company of 10 to 400 people, was: a company of 10 to 500 people"],
    ),
    (
        {"scoring__rules__7__count": {"op": ">=", "n": 3}},
        [
            "rule visit_pricing: viewing the pricing page, at least 3 times, "
            "was: viewing the pricing page, more than 3 times"
        ],
    ),
    (
        {"scoring__rules__6__engagement__kind": "webinar_registered"},
        ["rule webinar: registering for a webinar, was: attending a webinar"],
    ),
    ({"scoring__rules": [*RULES, NEW]}, ["new rule visits: viewing the docs page, at least 2 times: 1 point"]),
    (
        {"scoring__rules": RULES[1:]},
        [
            "rule size_small is gone: a company of 10 to 500 people: 30 points "
            '(of "size" only the first that is true pays)'
        ],
    ),
    (
        {"scoring__rules": [RULES[1], RULES[0], *RULES[2:]]},
        ['of "size" the first that is true pays, now in the order size_mid, size_small'],
    ),
    (
        {"scoring__rules": [sized("tiny", 1, 9, exclusive="size"), *RULES]},
        [
            'new rule tiny: a company of 1 to 9 people: 10 points (of "size" only the first that is true pays)',
            'of "size" the first that is true pays, now in the order tiny, size_small, size_mid',
        ],
    ),
    ({"scoring__bands__2__least": {"op": ">", "n": 60}}, ["band pass begins above 60, was above 50"]),
    ({"scoring__bands__2__least": {"op": ">=", "n": 50}}, ["band pass begins at 50, was above 50"]),
    (
        {"scoring__bands__1__name": "warm"},
        ["new band warm begins at 30", "band nurture is gone, it began at 30"],
    ),
    (
        {"scoring__profile": [{"name": "industry", "is": ["retail"]}]},
        ["target company profile: a company in retail, was: none"],
    ),
    (
        {"scoring__high_intent": ["demo_requested", "trade_show_visited"]},
        [
            "visiting a trade show counts as asking for sales",
            "asking sales directly no longer counts as asking for sales",
        ],
    ),
    (
        {"gate__band": "nurture"},
        [
            "the gate asks that the score is in band nurture or above (at least 30 points), "
            "was: the score is in band pass (more than 50 points)"
        ],
    ),
    (
        {"gate__double_opt_in": True},
        ["the gate also asks that the lead has confirmed the e-mail address (double opt-in)"],
    ),
    ({"gate__engaged": True}, ["the gate also asks that at least one engagement earns points"]),
    (
        {"gate__suppressed_domains": ["edu", "rival.example"]},
        [
            "the gate also asks that the e-mail address is not of edu or rival.example",
            "at any score, a lead qualifies by asking for sales "
            "if an e-mail address of the lead is known and is of no suppressed domain",
        ],
    ),
    ({"gate__fast_track": False}, ["asking for sales no longer qualifies at any score"]),
    ({"gate__intent_window": "14d"}, ["asking for sales makes high intent for 14 days, was 7 days"]),
    ({"gate__cool_off": "24h"}, ["rest after an episode: 24 hours, was 30 days"]),
    ({"apply_to_past": True}, ["who passes by a change of this policy alone is handed off at once"]),
    (
        {"routing__roster": [{"id": "ada", "name": "Ada"}]},
        ["leads go in turn to Ada, was: Grace, then Linus, then Margaret"],
    ),
    (
        {"routing__roster__0__email": "g@example.com"},
        ["an owner of the roster has another id or e-mail address"],
    ),
    (
        {"clocks__1__target": "30m"},
        ["CK-S1: sales follows up within 30 minutes of the handoff, if the lead is of high intent, was 1 hour"],
    ),
    (
        {"clocks__3__party": "marketing"},
        [
            "CK-S3: marketing decides within 5 days of the handoff, was: sales decides within 5 days of the handoff",
        ],
    ),
    (
        {"clocks__3__warn": [0.9]},
        [
            "CK-S3: a warning when 90% of the time is gone, was: a warning when 50% and 80% of the time is gone",
        ],
    ),
    (
        {"scoring__rules__7__count__window": "30d"},
        [f"rule visit_pricing: {VISITED} within the last 30 days, was: {VISITED}"],
    ),
    (
        {"scoring__rules__7__count_by": "session"},
        [f"rule visit_pricing: {VISITED}, counted by visit (30 minutes without one end a visit), was: {VISITED}"],
    ),
    (
        {"scoring__rules__5": EACH},
        ["downloading a case study: each time, at most 30 in all, was: once"],
    ),
    ({"scoring__rules__8__decay": {"half_life": "30d"}}, [f"{OPENED}: halves every 30 days, was: does not fade"]),
    (
        {"scoring__rules__8__valid_to": "2026-03-01T00:00:00Z"},
        [f"{OPENED}: only before 2026-03-01 00:00 UTC, was: at any time"],
    ),
    (
        {"scoring__rules__8__valid_from": "2026-03-01T00:00:00Z"},
        [f"{OPENED}: only from 2026-03-01 00:00 UTC on, was: at any time"],
    ),
    ({"scoring__rules__8__group": "negative"}, [f"{OPENED}: counts as negative, was engagement"]),
    (
        {"scoring__groups": {"engagement": {"max": 65}, "negative": {"min": -30}}},
        [
            "engagement gives at most 65 points together, was: no bounds",
            "what is negative takes at most 30 points together, was: no bounds",
        ],
    ),
    ({"scoring__max": 100}, ["most points that a lead can have: 100 points, was: no bound"]),
    (
        {"scoring__rules": [*RULES, {**NEW, "decay": {"expire": "90d"}, "because": "reads"}]},
        ["new rule visits: viewing the docs page, at least 2 times: 1 point; expires after 90 days"],
    ),
]
LEAST = {"op": ">=", "n": 5}
SAME: list[dict[str, Any]] = [
    {},
    {"about": "other words", "version": 2, "effective_from": "2026-06-01T00:00:00Z", "policy": "other"},
    {"scoring__rules__7__count": {"op": ">=", "n": 4}},
    {"scoring__rules__3__attribute__is": ["Financial Services"]},
    {"scoring__rules": [*RULES[4:], *RULES[:4]]},
    {"scoring__high_intent": ["sales_inquired", "demo_requested"]},
    {"scoring__bands__0__least": LEAST},
    {"clocks__1__target": "60m"},
    {"clocks__1__warn": [0.8, 0.5]},
    {"scoring__rules__5__because": "looks for proof"},
    {"scoring__rules__5__count_by": "session"},
    {"scoring__groups": {"fit": {}}},
]
