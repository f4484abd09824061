"""Says a policy's terms in words for readers outside the company, one function per term.

Terms with the same effect have the same words: `> 0` and `>= 1` times, "Financial Services" and financial_services.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta

from schemas.engagements import LARGEST_COMPANY
from schemas.policy import ClockRule, Gate, Policy
from schemas.scoring import AttributeMatch, Band, EngagementMatch, Rule
from schemas.terms import Bound, spelt
from scorer.rules.criteria import code_of

_ATTRIBUTES = {
    "company_size": "a company of {} people",
    "country": "the country {}",
    "industry": "a company in {}",
    "title": "the job title {}",
}
_KINDS = {
    "content_downloaded": "downloading content",
    "demo_requested": "requesting a demo",
    "email_clicked": "clicking in an e-mail",
    "email_opened": "opening an e-mail",
    "form_submitted": "submitting a form",
    "page_viewed": "viewing a page",
    "sales_inquired": "asking sales directly",
    "trade_show_visited": "visiting a trade show",
    "unsubscribed": "unsubscribing from e-mails",
    "webinar_attended": "attending a webinar",
    "webinar_registered": "registering for a webinar",
}
_STARTS = {"qualified": "of its qualification", "handed_off": "of the handoff"}
_STOPS = {
    "handed_off": "hands the lead over",
    "contacted": "follows up",
    "decided": "decides",
    "feedback": "says how good the lead was",
}
_INTENTS = {None: "", "high": ", if the lead is of high intent", "low": ", if the lead is of low intent"}
_UNITS = {"d": "day", "h": "hour", "m": "minute", "s": "second"}
KNOWN_ADDRESS = "an e-mail address of the lead is known"
EDITS = {
    False: "who passes by a change of this policy alone is handed off with the next event that is scored",
    True: "who passes by a change of this policy alone is handed off at once",
}
"""By `apply_to_past`."""


def number(value: float) -> str:
    """The number without trailing zeros: 50, 2.5."""
    return f"{value:.15g}"


def counted(count: int, what: str) -> str:
    """1 fact, 2 facts."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def points(value: float) -> str:
    return f"{number(value)} {'point' if value == 1 else 'points'}"


def duration(length: timedelta) -> str:
    """24 hours, 5 days; one day is given in hours, since it is not a calendar day."""
    text = spelt(length)
    amount, unit = (24, "h") if text == "1d" else (int(text[:-1]), text[-1])
    return f"{amount} {_UNITS[unit]}{'' if amount == 1 else 's'}"


def listed(words: Iterable[str], last: str = "or", none: str = "none") -> str:
    """a; a or b; a, b or c."""
    *others, final = tuple(words) or (none,)
    return f"{', '.join(others)} {last} {final}" if others else final


def reach(bound: Bound) -> str:
    """The numbers that pass: more than 50, at least 30."""
    return f"{'more than' if bound.op == '>' else 'at least'} {number(bound.n)}"


def subject(rule: Rule) -> str:
    """What a rule looks at."""
    if rule.engagement is not None:
        return engagement(rule.engagement)
    assert rule.attribute is not None  # noqa: S101 - the policy's own validation
    return attribute(rule.attribute)


def attribute(match: AttributeMatch) -> str:
    if match.between is not None:
        return company(*match.between)
    codes = sorted({str(code_of(text)) for text in match.is_ or ()})
    return _ATTRIBUTES[match.name].format(listed(code.replace("_", " ") for code in codes))


def company(low: int, high: int) -> str:
    """A company of this size, both ends included."""
    if low == high:
        return f"a company of exactly {low} {'person' if low == 1 else 'people'}"
    if low <= LARGEST_COMPANY <= high:
        return f"a company of {low} people or more"
    return f"a company of {low} to {high} people"


def kind(name: str) -> str:
    """What a lead does in an engagement of this kind."""
    return _KINDS.get(name, f'an engagement of the kind "{name.replace("_", " ")}"')


def engagement(match: EngagementMatch) -> str:
    if match.content is None:
        return kind(match.kind)
    content = _content(match.content)
    if match.kind == "page_viewed":
        return f"viewing the {content} page"
    if match.kind != "content_downloaded":
        return f"{kind(match.kind)} about {content}"
    if content.endswith(("s", '"')):
        return f"downloading {content}"
    article = "an" if content[0] in "aeiou" else "a"
    return "downloading the price list" if content == "pricing" else f"downloading {article} {content}"


def exclusion(rule: Rule) -> str:
    """What a rule does where others of its `exclusive` pay."""
    return f'of "{rule.exclusive}" only the first that is true pays' if rule.exclusive else "pays whatever else does"


def span(bands: Sequence[Band], index: int) -> str:
    """All scores of a band; the lowest has no lower bound, whatever `least` says."""
    above = bands[index + 1].least if index + 1 < len(bands) else None
    if index == 0:
        return "any score" if above is None else f"{_below(above)} points"
    least = bands[index].least
    if above is None:
        return f"{reach(least)} points"
    return f"exactly {points(least.n)}" if least.n == above.n else f"{reach(least)}, {_below(above)} points"


def beginning(bands: Sequence[Band], index: int) -> str:
    """The scores of the band and above."""
    if index == 0:
        return "at any score"
    least = bands[index].least
    return f"{'above' if least.op == '>' else 'at'} {number(least.n)}"


def profile(matches: Sequence[AttributeMatch]) -> str:
    """The target company profile; all of it must be true, in any order."""
    return ", and ".join(sorted(attribute(match) for match in matches)) or "none"


def conditions(policy: Policy) -> dict[str, str]:
    """The conditions of the gate, by the name that the router gives each predicate."""
    gate, bands = policy.gate, policy.scoring.bands
    index = [band.name for band in bands].index(gate.band)
    scores = "any score" if index == 0 else f"{reach(bands[index].least)} points"
    words = {
        "band": f"the score is in band {gate.band}{'' if index == len(bands) - 1 else ' or above'} ({scores})",
        "contactable": KNOWN_ADDRESS,
    }
    if gate.double_opt_in:
        words["double_opt_in"] = "the lead has confirmed the e-mail address (double opt-in)"
    if gate.fit_profile:
        words["fit_profile"] = f"the lead fits the target company profile ({profile(policy.scoring.profile)})"
    if gate.engaged:
        words["engaged"] = "at least one engagement earns points"
    if gate.suppressed_domains:
        words["not_suppressed"] = f"the e-mail address is not of {listed(gate.suppressed_domains)}"
    return words


def fast_track(gate: Gate) -> str:
    """How asking for sales qualifies by itself."""
    besides = " and is of no suppressed domain" if gate.suppressed_domains else ""
    return f"at any score, a lead qualifies by asking for sales if {KNOWN_ADDRESS}{besides}"


def roster(policy: Policy) -> str:
    """The owners by name, in the order of turns."""
    return ", then ".join(owner.name for owner in policy.routing.roster)


def promise(clock: ClockRule) -> str:
    """Who owes what within which time, and to which leads."""
    kept = f"{clock.party} {_STOPS[clock.stop]} within {duration(clock.target)} {_STARTS[clock.start]}"
    return kept + _INTENTS[clock.intent]


def warnings(clock: ClockRule) -> str:
    """When a promise's holder is warned."""
    if not clock.warn:
        return "no warning"
    shares = listed((f"{number(100 * share)}%" for share in sorted(set(clock.warn))), "and")
    return f"a warning when {shares} of the time is gone"


def _content(content: str) -> str:
    """The content in words where these identify it, else in quotation marks."""
    return content.replace("_", " ") if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", content) else f'"{content}"'


def _below(bound: Bound) -> str:
    """The numbers that do not pass."""
    return f"{'at most' if bound.op == '>' else 'less than'} {number(bound.n)}"
