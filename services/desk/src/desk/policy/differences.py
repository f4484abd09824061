"""Compares two policies in words: what the later one asks, pays and promises that the earlier one does not.

Name, version, date and `about` are not compared: they identify the agreement. Reasons are no terms, and are compared by
themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TypeVar, get_args

from desk.policy import paying, wording
from schemas.policy import ClockRule, Policy
from schemas.scores import Group
from schemas.scoring import Rule

T = TypeVar("T")


def differences(before: Policy, after: Policy) -> tuple[str, ...]:
    """A sentence for each difference that can change a decision or a promise."""
    parts = (_rules, _orders, _bounds, _bands, _high_intent, _profile, _gate, _routing, _clocks)
    return tuple(sentence for part in parts for sentence in part(before, after))


def reasons(before: Policy, after: Policy) -> tuple[str, ...]:
    """A sentence for each common rule with another reason; reasons change no decision."""
    were, are = ({rule.id: rule.because for rule in policy.scoring.rules} for policy in (before, after))
    return tuple(_reason(name, *each) for name, each in _kept(were, are).items() if each[0] != each[1])


def _reason(name: str, was: str | None, now: str | None) -> str:
    if now is None:
        return f"the reason of {name} is gone"
    return f"the reason of {name} is {'given now' if was is None else 'another'}: {now}"


def _rules(before: Policy, after: Policy) -> Iterator[str]:
    were, are = ({rule.id: rule for rule in policy.scoring.rules} for policy in (before, after))
    yield from (f"new rule {name}: {_whole(rule)}" for name, rule in are.items() if name not in were)
    yield from (f"rule {name} is gone: {_whole(rule)}" for name, rule in were.items() if name not in are)
    for was, rule in _kept(were, are).values():
        name = paying.condition(rule)
        if _asks(rule) != _asks(was):
            yield f"rule {rule.id}: {name}, was: {paying.condition(was)}"
        if rule.points != was.points:
            verb = "was" if was.points == 1 else "were"
            yield f"{name}: {wording.points(rule.points)}, {verb} {wording.number(was.points)}"
        if rule.group != was.group:
            yield f"{name}: counts as {rule.group}, was {was.group}"
        for term in _TERMS:
            if term(rule) != term(was):
                yield f"{name}: {term(rule)}, was: {term(was)}"


def _asks(rule: Rule) -> tuple[str, int, timedelta | None, str]:
    """What makes it pay, with equal numbers in equal words: "more than 3 times" is "at least 4 times"."""
    return wording.subject(rule), rule.needed, rule.count.window, paying.counted(rule)


def _decay(rule: Rule) -> str:
    return paying.decay(rule.decay)


_TERMS = (wording.exclusion, paying.award, _decay, paying.validity)


def _whole(rule: Rule) -> str:
    shared = f" ({wording.exclusion(rule)})" if rule.exclusive else ""
    return f"{paying.pays(rule)}{shared}"


def _orders(before: Policy, after: Policy) -> Iterator[str]:
    """Order decides between rules of one `exclusive`; a new rule at the end needs no sentence."""
    were, are = (_by_word(policy) for policy in (before, after))
    for word, names in are.items():
        then = were.get(word, [])
        if names != [name for name in then if name in names] + [name for name in names if name not in then]:
            yield f'of "{word}" the first that is true pays, now in the order {", ".join(names)}'


def _by_word(policy: Policy) -> dict[str, list[str]]:
    words: dict[str, list[str]] = {}
    for rule in policy.scoring.rules:
        if rule.exclusive:
            words.setdefault(rule.exclusive, []).append(rule.id)
    return words


def _bounds(before: Policy, after: Policy) -> Iterator[str]:
    for group in get_args(Group):
        was, now = (paying.bounds(policy, group) for policy in (before, after))
        if was != now:
            yield f"{now or f'{paying.GROUPS[group]} has no bounds'}, was: {was or 'no bounds'}"
    if before.scoring.max != after.scoring.max:
        was, now = (wording.points(each.scoring.max) if each.scoring.max else "no bound" for each in (before, after))
        yield f"most points that a lead can have: {now}, was: {was}"


def _bands(before: Policy, after: Policy) -> Iterator[str]:
    were, are = (_beginnings(policy) for policy in (before, after))
    yield from (f"new band {name} begins {are[name]}" for name in are if name not in were)
    yield from (f"band {name} is gone, it began {were[name]}" for name in were if name not in are)
    for name, (was, now) in _kept(were, are).items():
        if was != now:
            yield f"band {name} begins {now}, was {was}"


def _beginnings(policy: Policy) -> dict[str, str]:
    bands = policy.scoring.bands
    return {band.name: wording.beginning(bands, index) for index, band in enumerate(bands)}


def _high_intent(before: Policy, after: Policy) -> Iterator[str]:
    were, are = ([wording.kind(kind) for kind in policy.scoring.high_intent] for policy in (before, after))
    yield from (f"{kind} counts as asking for sales" for kind in are if kind not in were)
    yield from (f"{kind} no longer counts as asking for sales" for kind in were if kind not in are)


def _profile(before: Policy, after: Policy) -> Iterator[str]:
    was, now = (wording.profile(policy.scoring.profile) for policy in (before, after))
    if was != now:
        yield f"target company profile: {now}, was: {was}"


def _gate(before: Policy, after: Policy) -> Iterator[str]:
    were, are = wording.conditions(before), wording.conditions(after)
    yield from (f"the gate also asks that {words}" for name, words in are.items() if name not in were)
    yield from (f"the gate no longer asks that {words}" for name, words in were.items() if name not in are)
    was, now = before.gate, after.gate
    if was.band != now.band:
        yield f"the gate asks that {are['band']}, was: {were['band']}"
    if was.suppressed_domains and now.suppressed_domains and set(was.suppressed_domains) != set(now.suppressed_domains):
        yield f"the gate asks that {are['not_suppressed']}, was: {were['not_suppressed']}"
    if was.fast_track and not now.fast_track:
        yield "asking for sales no longer qualifies at any score"
    elif now.fast_track and (not was.fast_track or wording.fast_track(was) != wording.fast_track(now)):
        yield wording.fast_track(now)
    if was.intent_window != now.intent_window:
        window, before_ = wording.duration(now.intent_window), wording.duration(was.intent_window)
        yield f"asking for sales makes high intent for {window}, was {before_}"
    if was.cool_off != now.cool_off:
        yield f"rest after an episode: {wording.duration(now.cool_off)}, was {wording.duration(was.cool_off)}"
    if before.apply_to_past != after.apply_to_past:
        yield wording.EDITS[after.apply_to_past]


def _routing(before: Policy, after: Policy) -> Iterator[str]:
    was, now = wording.roster(before), wording.roster(after)
    if was != now:
        yield f"leads go in turn to {now}, was: {was}"
    elif before.routing != after.routing:
        yield "an owner of the roster has another id or e-mail address"


def _clocks(before: Policy, after: Policy) -> Iterator[str]:
    were, are = ({clock.id: clock for clock in policy.clocks} for policy in (before, after))
    yield from (f"new promise {name}: {_promised(clock)}" for name, clock in are.items() if name not in were)
    yield from (f"promise {name} is gone: {_promised(clock)}" for name, clock in were.items() if name not in are)
    for name, (was, now) in _kept(were, are).items():
        same = now.model_copy(update={"target": was.target})
        if wording.promise(same) != wording.promise(was):
            yield f"{name}: {wording.promise(now)}, was: {wording.promise(was)}"
        elif now.target != was.target:
            yield f"{name}: {wording.promise(now)}, was {wording.duration(was.target)}"
        if wording.warnings(now) != wording.warnings(was):
            yield f"{name}: {wording.warnings(now)}, was: {wording.warnings(was)}"


def _promised(clock: ClockRule) -> str:
    return f"{wording.promise(clock)}; {wording.warnings(clock)}"


def _kept(were: Mapping[str, T], are: Mapping[str, T]) -> dict[str, tuple[T, T]]:
    """What both have, before and after."""
    return {name: (were[name], now) for name, now in are.items() if name in were}
