"""A policy as one page that someone outside the company understands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill

from desk.policy import paying, wording
from desk.policy.overlap import Overlap
from schemas.policy import Policy
from schemas.scores import Group
from schemas.scoring import Rule

WIDTH = 80
"""Columns of a terminal, and of a mail that no program on its way wraps."""
_LEAD = """A lead is a person who may buy. What is known of a lead and what it does earns points; their sum is its
score. A lead that passes the gate is handed off to its owner, the person in sales who must act."""
_ONCE = """Each line gives its points once, for as long as it is true. What a machine does, such as a mail scanner that
opens an e-mail, never counts."""
_EACH = """A line with the words "each time" gives them for every engagement. Its most is counted before points fade:
what found no room gives nothing later either."""
_FADES = """Points fade by whole days of 24 hours since the latest engagement that the line is about, those given each
time since their own."""
_FADES_ONCE = f"{_FADES.partition(', those')[0]}."
_AGAIN = """An episode is the way of a lead from there to an end: won, lost, disqualified or given back. After an end it
rests for {}; then it can qualify again if something new has happened, unless it was won or ended for good."""
_HIGH = """A lead is of high intent if it asked for sales at most {} before it qualified, or between that and the
handoff; every other lead is of low intent."""
_TIMES = "Time runs day and night, on weekends and holidays too. What sales promises is owed by the owner of the lead."
_GROUPS: dict[Group, str] = {
    "fit": "Fit, how well the lead suits us:",
    "engagement": "Engagement, what shows its interest:",
    "negative": "Negative, what takes points away:",
}
_MEANINGS = {
    "contacted": "To follow up is a person's attempt to reach the lead, not an automatic mail.",
    "decided": "To decide is to qualify, to open a deal, to disqualify or to give back; the latter two with a reason.",
    "feedback": "A decision also says how good the lead was.",
}


def page(policy: Policy) -> str:
    """The page, in plain text of at most WIDTH columns."""
    since = paying.instant(policy.effective_from)
    head = [*_text(f"{policy.policy}, version {policy.version}, from {since} on"), "=" * WIDTH, *_text(policy.about)]
    sections = (_earning, _bands, _asking, _gate, _routing, _promises)
    return "\n".join((*head, "", *_text(_LEAD), *(line for section in sections for line in section(policy))))


def _earning(policy: Policy) -> Iterator[str]:
    rules = policy.scoring.rules
    yield from _heading("What earns points")
    each = any(rule.award == "per_event" for rule in rules)
    fades = any(rule.decay for rule in rules)
    notes = (_ONCE, _EACH if each else "", (_FADES if each else _FADES_ONCE) if fades else "")
    yield from _text(" ".join(filter(None, notes)))
    width = max((len(wording.number(rule.points)) for rule in rules), default=0)
    for group, title in _GROUPS.items():
        bounds = paying.bounds(policy, group)
        of_group = [block for block in _blocks(rules) if block[0].group == group]
        if of_group:
            yield from ("", title)
        for block in of_group:
            yield from _block(block, group, width)
        if bounds:
            yield from ("", *_text(f"{bounds[0].upper()}{bounds[1:]}."))
    floor = ", and none less than 0" if any(rule.points < 0 for rule in rules) else ""
    yield from ("", *_text(f"No lead can have more than {wording.points(Overlap(policy).highest)}{floor}."))


def _blocks(rules: Sequence[Rule]) -> list[list[Rule]]:
    """The rules in order, those of one exclusive word together."""
    blocks: dict[str, list[Rule]] = {}
    for rule in rules:
        blocks.setdefault(f"={rule.exclusive}" if rule.exclusive else rule.id, []).append(rule)
    return list(blocks.values())


def _block(block: Sequence[Rule], group: Group, width: int) -> Iterator[str]:
    indent = 4 if len(block) == 1 else 6
    if len(block) > 1:
        yield "    only the first of these that is true:"
    for rule in block:
        elsewhere = "" if rule.group == group else f" (counts as {rule.group})"
        yield from _item(wording.number(rule.points).rjust(width), f"{paying.entry(rule)}{elsewhere}", indent)
        if rule.because:
            yield from _item(" " * width, f"because: {rule.because}", indent)


def _bands(policy: Policy) -> Iterator[str]:
    yield from _heading("What the scores are called")
    bands = policy.scoring.bands
    width = max(len(band.name) for band in bands)
    for index, band in enumerate(bands):
        yield from _item(band.name.ljust(width), wording.span(bands, index))


def _asking(policy: Policy) -> Iterator[str]:
    yield from _heading("What counts as asking for sales")
    kinds = policy.scoring.high_intent
    if not kinds:
        yield "Nothing does."
        return
    for kind in kinds:
        yield from _item("-", wording.kind(kind))
    yield from ("", *_text(_HIGH.format(wording.duration(policy.gate.intent_window))))


def _gate(policy: Policy) -> Iterator[str]:
    yield from _heading("Which leads are handed off: the gate")
    yield "A lead qualifies as soon as all of this is true:"
    for words in wording.conditions(policy).values():
        yield from _item("-", words)
    if policy.gate.fast_track:
        yield from ("", *_text(f"Or faster: {wording.fast_track(policy.gate)}."))
    edits = wording.EDITS[policy.apply_to_past]
    yield from ("", *_text(_AGAIN.format(wording.duration(policy.gate.cool_off))))
    yield from ("", *_text(f"{edits[0].upper()}{edits[1:]}."))


def _routing(policy: Policy) -> Iterator[str]:
    yield from _heading("Who takes leads")
    yield from _text(f"In turn: {wording.roster(policy)}.")


def _promises(policy: Policy) -> Iterator[str]:
    yield from _heading("What is promised")
    if not policy.clocks:
        yield "Nothing is."
        return
    width = max(len(clock.id) for clock in policy.clocks)
    for clock in policy.clocks:
        yield from _item(clock.id.ljust(width), wording.promise(clock))
    yield ""
    for words in dict.fromkeys(wording.warnings(clock) for clock in policy.clocks):
        names = [clock.id for clock in policy.clocks if wording.warnings(clock) == words]
        yield from _text(f"For {wording.listed(names, 'and') if len(names) < len(policy.clocks) else 'each'}: {words}.")
    stops = {clock.stop for clock in policy.clocks}
    yield from _text(" ".join((_TIMES, *(words for stop, words in _MEANINGS.items() if stop in stops))))


def _heading(words: str) -> list[str]:
    return ["", words, "-" * len(words)]


def _text(words: str) -> list[str]:
    return fill(words, WIDTH, break_on_hyphens=False).split("\n")


def _item(mark: str, words: str, indent: int = 2) -> list[str]:
    """One entry of a list; where it goes on, below its own beginning."""
    first = f"{' ' * indent}{mark}  "
    text = fill(words, WIDTH, initial_indent=first, subsequent_indent=" " * len(first), break_on_hyphens=False)
    return text.split("\n")
