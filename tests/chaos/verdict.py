"""The verdict: compares the relay's data with the model, invariant by invariant."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from tests.chaos.book import Book
from tests.chaos.evidence import OUTPUTS, Evidence, Standing, Told, gather
from tests.chaos.model import Identity, Oracle
from tests.chaos.owners import owners
from tests.chaos.promises import Clock
from tests.chaos.raw import derived
from tests.chaos.violation import Violation, broken
from tests.infrastructure import Room

OVER = ("sla.breached", "clock.cancelled")
"""What no breach may follow, unless the clock has started again."""
GRACE = timedelta(seconds=5)
"""How long after its due a clock of a quiet relay may go unjudged (I9)."""


@dataclass(frozen=True)
class Findings:
    """Everything that is wrong, and figures that are nobody's fault; lateness in seconds."""

    violations: list[Violation]
    figures: dict[str, float]


async def verdict(room: Room, policy: Path, book: Book | None = None) -> Findings:
    """Reads a quiet relay and judges it; `book` adds what its senders know."""
    return judge(await gather(room, policy), book)


def judge(evidence: Evidence, book: Book | None = None) -> Findings:
    """What is wrong with what was found."""
    checks = [_scores, _names, owners, _clocks, _dead_letters, _contents]
    violations = [one for check in checks for one in check(evidence)]
    if book is not None:
        violations += _acknowledged(evidence, book)
    return Findings(violations, _figures(evidence))


def _scores(evidence: Evidence) -> Iterator[Violation]:
    oracle, scores, states = evidence.oracle, evidence.scores, evidence.states
    must = {lead: oracle.scored(lead) for lead, known in [*oracle.leads.items()] if known.facts or known.copies}
    told = {lead: worth for lead, worth in must.items() if oracle.known(lead).reachable}
    yield from broken("I3", "leads with facts are not stored", must.keys() - states.keys())
    yield from broken("I3", "leads without facts are stored", states.keys() - must.keys())
    pairs = ((lead, _file(oracle, lead), evidence.facts.get(lead, set())) for lead in must)
    unlike = (f"{lead}: {sorted(known ^ kept)[:3]}" for lead, known, kept in pairs if known != kept)
    yield from broken("I3", "the facts kept of a lead are not those on the topic", unlike)
    yield from broken("I3", "a stored lead is not what its facts are worth", _differing(states, must))
    yield from broken("I5", "scores were never published", told.keys() - scores.keys())
    yield from broken("I5", "the latest published score is not what the facts are worth", _differing(scores, told))
    behind = (
        f"{lead}: {scores[lead].version} published, {states[lead].version} stored"
        for lead in scores.keys() & states.keys()
        if scores[lead].version != states[lead].version
    )
    yield from broken("I5", "the latest published version is not the stored one", behind)


def _names(evidence: Evidence) -> Iterator[Violation]:
    oracle = evidence.oracle
    strays = (stray for lead in [*oracle.leads] for stray in oracle.strays(lead))
    yield from broken("I3", "copies were made of what no alias of the lead did", strays)
    links, merges = set(oracle.aliases), set(oracle.merges())
    for topic, passed in evidence.linked.items():
        yield from broken("I5", f"links are not on {topic}", map(str, links - passed))
        yield from broken("I5", f"links are on {topic} that mean nothing", map(str, passed - links))
    latest = {"lead-scores": merges, "lead-handoffs": set(oracle.merges(latest=True))}  # the router drops older ones
    for topic, told in evidence.merged.items():
        yield from broken("I5", f"merges are not on {topic}", map(str, latest[topic] - told))
        yield from broken("I5", f"merges are on {topic} that nobody said", map(str, told - merges))


def _file(oracle: Oracle, lead: str) -> set[Identity]:
    """The facts that must be kept of the lead: a person's and all its aliases'; what came to it, of an alias and of
    one from which another was unmerged.
    """
    known, names = oracle.leads[lead], oracle.aliases
    whole = lead not in names and names.of(lead) == names.of(lead, ever=True)
    return set(oracle.facts(lead)) if whole else {*known.facts, *known.copies}


def _differing(found: dict[str, Standing], must: dict[str, tuple[float, str]]) -> Iterator[str]:
    for lead in found.keys() & must.keys():
        if found[lead].worth != must[lead]:
            yield f"{lead}: {found[lead].worth} instead of {must[lead]}"


def _clocks(evidence: Evidence) -> Iterator[Violation]:
    must: dict[str, Clock] = {}
    for clock in evidence.oracle.clocks():
        must.setdefault(clock.clock_id, clock)  # of an episode that was handed off twice the first handoff starts them
    yield from broken("I8", "clocks never started", must.keys() - evidence.clocks.keys())
    yield from broken("I8", "clocks ran that no handoff started", evidence.clocks.keys() - must.keys())
    cases: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for clock_id in must.keys() & evidence.clocks.keys():
        clock, told = must[clock_id], evidence.clocks[clock_id]
        for invariant, text in _faults(clock, told, evidence):
            says = " ".join(f"{version}:{event.kind}" for version, event in sorted(told.items()))
            cases[invariant, text].append(f"{clock.name} of {clock.lead}: {says}")
    for (invariant, text), found in cases.items():
        yield from broken(invariant, text, found)


def _faults(clock: Clock, told: dict[int, Told], evidence: Evidence) -> Iterator[tuple[str, str]]:
    """What is wrong with one clock's history."""
    events = [told[version] for version in sorted(told)]
    breaches = [event for event in events if event.kind == "sla.breached"]
    standing = len(breaches) - sum(event.kind == "sla.breach_retracted" for event in events)
    if sorted(told) != list(range(1, len(told) + 1)):
        yield "I5", "versions of a clock are missing"
    if any(event.due not in clock.dues for event in events):
        yield "I8", "a clock's due is not the policy's"
    if any(event.breach_id != derived("breach", clock.clock_id) for event in breaches):
        yield "I8", "a breach's id does not follow from its clock"
    if any(event.published < event.due for event in breaches):
        yield "I9", "a breach was published before its due"
    if any(b.kind == "sla.breached" and a.kind in OVER for a, b in pairwise(events)):
        yield "I8", "a breach was published twice, or of a promise that was cancelled"
    if any(event.due == due and heard < due for event in breaches for due, heard in clock.excused):
        yield "I8", "a breach was published though its excuse was on the topic before its due"
    yield from _verdicts(clock, events[-1], standing, evidence)


def _verdicts(clock: Clock, last: Told, standing: int, evidence: Evidence) -> Iterator[tuple[str, str]]:
    """What is wrong with its end."""
    if clock.met_at is not None:
        if standing or last.kind != "clock.met":
            yield "I8", "a breach stands, or a verdict is missing, though the promise was kept in time"
        return
    if last.due != clock.due:
        yield "I8", "a clock did not go on after an unmerge where the merge had stopped it"
    if clock.cancelled:
        if standing or last.kind != "clock.cancelled":
            yield "I8", "a promise stands that went to another lead"
    elif clock.due < evidence.since - GRACE:
        if standing != 1 or last.kind != "sla.breached":
            yield "I8", "a breach is missing"
    elif last.kind in ("clock.met", "clock.cancelled"):
        yield "I8", "a clock has ended though nothing ended it"


def _dead_letters(evidence: Evidence) -> Iterator[Violation]:
    poison, letters = evidence.oracle.poison, evidence.dead_letters["engagements-dlq"]
    for reason in sorted(poison.keys() | letters.keys()):
        missing, more = poison[reason] - letters[reason], letters[reason] - poison[reason]
        yield from broken("I2", f"dead letters are missing: {reason}", map(_short, missing))
        yield from broken("I2", f"good records became dead letters: {reason}", map(_short, more))
    others = (
        f"{topic}: {len(values)} {reason}"
        for topic, found in evidence.dead_letters.items()
        for reason, values in found.items()
        if topic != "engagements-dlq"
    )
    yield from broken("I2", "dead letters where nobody sent poison", others)
    yield from broken("I2", "records that the model cannot read", evidence.unread)


def _contents(evidence: Evidence) -> Iterator[Violation]:
    yield from broken("I8", "one id or version was published with two contents", evidence.forked)


def _acknowledged(evidence: Evidence, book: Book) -> Iterator[Violation]:
    oracle = evidence.oracle
    engaged = {("engagements", lead, *key) for lead, known in oracle.leads.items() for key in known.facts}
    there = engaged | {("sales-activities", lead, *key) for lead, known in oracle.leads.items() for key in known.stops}
    yield from broken("I1", "acknowledged events are not in their topic", map(str, book.acknowledged - there))
    for reason, values in book.poison.items():
        yield from broken(
            "I1", f"acknowledged poison is not there: {reason}", map(_short, values - oracle.poison[reason])
        )
    yield from broken("I1", "rejected items are not on events-rejected", book.rejected - evidence.rejected.keys())
    yield from broken("I2", "good items are on events-rejected", map(str, evidence.rejected.keys() - book.rejected))
    yield from broken("http", "an answer that no fault excuses", (f"{n} x {what}" for what, n in book.wrong.items()))


def _short(value: bytes) -> str:
    return value[:200].decode(errors="replace")


def _figures(evidence: Evidence) -> dict[str, float]:
    told = [event for versions in evidence.clocks.values() for event in versions.values()]
    leads = evidence.oracle.leads.values()
    late = sorted((e.published - e.due).total_seconds() for e in told if e.kind == "sla.breached")
    figures: dict[str, float] = {
        "leads": sum(bool(lead.facts) for lead in leads),
        "facts": sum(len(lead.facts) for lead in leads),
        "links": sum(fact.kind == "lead.linked" for lead in leads for fact in lead.facts.values()),
        "aliases": len({alias for alias, _ in evidence.oracle.aliases}),
        "merged": len([*evidence.oracle.aliases.latest()]),
        "unmerged": len(evidence.oracle.aliases.unmerged),
        "taken over": sum(bool(turn.taken_from) for lead in leads for turn in lead.handoffs),
        "copies": sum(len(lead.copies) for lead in leads),
        "handoffs": sum(bool(lead.handoffs) for lead in leads),
        "clocks cancelled": sum(event.kind == "clock.cancelled" for event in told),
        "clocks met": sum(event.kind == "clock.met" for event in told),
        "breaches": len(late),
        "retractions": sum(event.kind == "sla.breach_retracted" for event in told),
        "breach lateness max": late[-1] if late else 0.0,
        "breach lateness p99": late[len(late) * 99 // 100] if late else 0.0,
        "rejected items": len(evidence.rejected),
    }
    figures |= {f"dead letters {reason}": len(values) for reason, values in sorted(evidence.oracle.poison.items())}
    for topic in OUTPUTS:
        ids = evidence.published[topic]
        figures |= {f"published {topic}": len(ids), f"repeats {topic}": ids.total() - len(ids)}
    published = sum(figures[f"published {topic}"] for topic in OUTPUTS)
    return figures | {"repeats share": sum(figures[f"repeats {t}"] for t in OUTPUTS) / max(1, published)}
