"""The verdict: compares the relay's data with the model, invariant by invariant."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tests.chaos.book import Book
from tests.chaos.evidence import OUTPUTS, Evidence, Standing, Told, gather
from tests.chaos.model import Clock, Identity, Oracle
from tests.chaos.raw import Json, derived
from tests.infrastructure import Room

GRACE = timedelta(seconds=5)
"""How long after its due a clock of a quiet relay may go unjudged (I9)."""
EXAMPLES = 5


@dataclass(frozen=True)
class Violation:
    """An invariant that does not hold, how often, and some of the cases."""

    invariant: str
    text: str
    count: int
    examples: tuple[str, ...]


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
    checks = [_scores, _names, _handoffs, _clocks, _dead_letters, _contents]
    violations = [one for check in checks for one in check(evidence)]
    if book is not None:
        violations += _acknowledged(evidence, book)
    return Findings(violations, _figures(evidence))


def _broken(invariant: str, text: str, cases: Iterable[str]) -> Iterator[Violation]:
    if found := sorted(cases):
        yield Violation(invariant, text, len(found), tuple(found[:EXAMPLES]))


def _scores(evidence: Evidence) -> Iterator[Violation]:
    oracle, scores, states = evidence.oracle, evidence.scores, evidence.states
    must = {lead: oracle.scored(lead) for lead, known in [*oracle.leads.items()] if known.facts or known.copies}
    told = {lead: worth for lead, worth in must.items() if oracle.known(lead).reachable}
    yield from _broken("I3", "leads with facts are not stored", must.keys() - states.keys())
    yield from _broken("I3", "leads without facts are stored", states.keys() - must.keys())
    pairs = ((lead, _file(oracle, lead), evidence.facts.get(lead, set())) for lead in must)
    unlike = (f"{lead}: {sorted(known ^ kept)[:3]}" for lead, known, kept in pairs if known != kept)
    yield from _broken("I3", "the facts kept of a lead are not those on the topic", unlike)
    yield from _broken("I3", "a stored lead is not what its facts are worth", _differing(states, must))
    yield from _broken("I5", "scores were never published", told.keys() - scores.keys())
    yield from _broken("I5", "the latest published score is not what the facts are worth", _differing(scores, told))
    behind = (
        f"{lead}: {scores[lead].version} published, {states[lead].version} stored"
        for lead in scores.keys() & states.keys()
        if scores[lead].version != states[lead].version
    )
    yield from _broken("I5", "the latest published version is not the stored one", behind)


def _names(evidence: Evidence) -> Iterator[Violation]:
    oracle = evidence.oracle
    strays = (stray for lead in [*oracle.leads] for stray in oracle.strays(lead))
    yield from _broken("I3", "copies were made of what no alias of the lead did", strays)
    links, merges = set(oracle.aliases), set(oracle.merges())
    for what, must, passed_on in (("links", links, evidence.linked), ("merges", merges, evidence.merged)):
        for topic, passed in passed_on.items():
            yield from _broken("I5", f"{what} are not on {topic}", map(str, must - passed))
            yield from _broken("I5", f"{what} are on {topic} that mean nothing", map(str, passed - must))


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


def _handoffs(evidence: Evidence) -> Iterator[Violation]:
    leads = evidence.oracle.leads
    handed = {
        name: [e["data"] for e in lead.handoffs.values() if "handed_off_at" in e["data"]]
        for name, lead in leads.items()
    }
    must = {name for name in [*leads] if evidence.oracle.must_be_handed_off(name)}
    was = {name for name, handoffs in handed.items() if handoffs}
    names = evidence.oracle.aliases
    missing = (name for name in must if was.isdisjoint(names.of(name, ever=True)))
    yield from _broken("I7", "handoffs are missing", missing)
    may = {name for name in was if evidence.oracle.may_be_handed_off(name)}
    yield from _broken("I7", "leads were handed off that do not qualify", was - may)
    late = (name for name, lead in leads.items() if lead.late)
    yield from _broken("I7", "a merged lead was handed off after its merge", late)
    yield from _broken("I7", "leads were handed off twice", (name for name, all_ in handed.items() if len(all_) > 1))
    wrong_ids = (
        f"{name}: {one['handoff_id']}"
        for name, handoffs in handed.items()
        for one in handoffs
        if one["handoff_id"] != derived("handoff", name, one["episode"])
    )
    yield from _broken("I7", "a handoff's id does not follow from lead and episode", wrong_ids)
    yield from _broken("I7", "an intent is not what the lead asked for", _wrong_intents(evidence, handed))


def _wrong_intents(evidence: Evidence, handed: dict[str, list[Json]]) -> Iterator[str]:
    for name, handoffs in handed.items():
        for one in handoffs:
            if one["intent"]["level"] not in evidence.oracle.intents(name, datetime.fromisoformat(one["qualified_at"])):
                yield name


def _clocks(evidence: Evidence) -> Iterator[Violation]:
    must: dict[str, Clock] = {}
    for clock in evidence.oracle.clocks():
        must.setdefault(clock.clock_id, clock)  # of an episode that was handed off twice the first handoff starts them
    yield from _broken("I8", "clocks never started", must.keys() - evidence.clocks.keys())
    yield from _broken("I8", "clocks ran that no handoff started", evidence.clocks.keys() - must.keys())
    cases: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for clock_id in must.keys() & evidence.clocks.keys():
        clock, told = must[clock_id], evidence.clocks[clock_id]
        for invariant, text in _faults(clock, told, evidence):
            says = " ".join(f"{version}:{event.kind}" for version, event in sorted(told.items()))
            cases[invariant, text].append(f"{clock.name} of {clock.lead}: {says}")
    for (invariant, text), found in cases.items():
        yield from _broken(invariant, text, found)


def _faults(clock: Clock, told: dict[int, Told], evidence: Evidence) -> Iterator[tuple[str, str]]:
    """What is wrong with one clock's history."""
    last = told[max(told)].kind
    breaches = [event for event in told.values() if event.kind == "sla.breached"]
    standing = len(breaches) - sum(event.kind == "sla.breach_retracted" for event in told.values())
    if sorted(told) != list(range(1, len(told) + 1)):
        yield "I5", "versions of a clock are missing"
    if any(event.due != clock.due for event in told.values()):
        yield "I8", "a clock's due is not the policy's"
    if any(event.breach_id != derived("breach", clock.clock_id) for event in breaches):
        yield "I8", "a breach's id does not follow from its clock"
    if any(event.published < clock.due for event in breaches):
        yield "I9", "a breach was published before its due"
    if len(breaches) > 1:
        yield "I8", "a breach was published twice"
    if clock.met_at is not None:
        if standing or last != "clock.met":
            yield "I8", "a breach stands, or a verdict is missing, though the promise was kept in time"
        if breaches and clock.heard_at is not None and clock.heard_at < clock.due:
            yield "I8", "a breach was published though the follow-up was on the topic before its due"
    elif clock.due < evidence.since - GRACE:
        if standing != 1 or last != "sla.breached":
            yield "I8", "a breach is missing"
    elif last in ("clock.met", "clock.cancelled") or (breaches and clock.due > evidence.until):
        yield "I8", "a clock has ended though nothing ended it"


def _dead_letters(evidence: Evidence) -> Iterator[Violation]:
    poison, letters = evidence.oracle.poison, evidence.dead_letters["engagements-dlq"]
    for reason in sorted(poison.keys() | letters.keys()):
        missing, more = poison[reason] - letters[reason], letters[reason] - poison[reason]
        yield from _broken("I2", f"dead letters are missing: {reason}", map(_short, missing))
        yield from _broken("I2", f"good records became dead letters: {reason}", map(_short, more))
    others = (
        f"{topic}: {len(values)} {reason}"
        for topic, found in evidence.dead_letters.items()
        for reason, values in found.items()
        if topic != "engagements-dlq"
    )
    yield from _broken("I2", "dead letters where nobody sent poison", others)
    yield from _broken("I2", "records that the model cannot read", evidence.unread)


def _contents(evidence: Evidence) -> Iterator[Violation]:
    yield from _broken("I8", "one id or version was published with two contents", evidence.forked)


def _acknowledged(evidence: Evidence, book: Book) -> Iterator[Violation]:
    oracle = evidence.oracle
    engaged = {("engagements", lead, *key) for lead, known in oracle.leads.items() for key in known.facts}
    there = engaged | {("sales-activities", *key) for key in oracle.activities}
    yield from _broken("I1", "acknowledged events are not in their topic", map(str, book.acknowledged - there))
    for reason, values in book.poison.items():
        yield from _broken(
            "I1", f"acknowledged poison is not there: {reason}", map(_short, values - oracle.poison[reason])
        )
    yield from _broken("I1", "rejected items are not on events-rejected", book.rejected - evidence.rejected.keys())
    yield from _broken("I2", "good items are on events-rejected", map(str, evidence.rejected.keys() - book.rejected))
    yield from _broken("http", "an answer that no fault excuses", (f"{n} x {what}" for what, n in book.wrong.items()))


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
        "merged": len(evidence.oracle.aliases.merges),
        "copies": sum(len(lead.copies) for lead in leads),
        "handoffs": sum(bool(lead.handoffs) for lead in leads),
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
