"""The verdict on handoffs: who must have an owner has one, and nobody has two, whatever was merged."""

from collections.abc import Iterator

from tests.chaos.evidence import Evidence
from tests.chaos.model import Oracle
from tests.chaos.promises import DISORDER, Course, Turn
from tests.chaos.raw import derived
from tests.chaos.violation import Violation, broken

Courses = dict[str, Course]


def owners(evidence: Evidence) -> Iterator[Violation]:
    """What is wrong with the handoffs, and with what sales did about merged leads."""
    oracle = evidence.oracle
    courses = {name: oracle.course(name) for name in [*oracle.leads]}
    yield from _who(oracle, courses)
    yield from _contents(oracle, courses)
    yield from _merged(oracle, courses)


def _who(oracle: Oracle, courses: Courses) -> Iterator[Violation]:
    was = {name for name, lead in oracle.leads.items() if lead.handoffs}
    must = {name for name in courses if oracle.must_be_handed_off(name)}
    missing = (name for name in must if courses[name].open is None)
    yield from broken("I7", "handoffs are missing", missing)
    masked = (name for name, course in courses.items() if name not in must and course.after_unmerge)
    may = {name for name in was if oracle.may_be_handed_off(name)}
    yield from broken("I7", "leads were handed off that do not qualify", (was - may) | {*masked})
    late = (name for name, course in courses.items() if course.late)
    yield from broken("I7", "a merged lead was handed off after its merge", late)
    yield from broken("I7", "leads were handed off twice", (name for name, course in courses.items() if course.twice))
    anew = (
        f"{name}: {turn.id} of {alias}"
        for name, course in courses.items()
        for turn, into in course.own
        for alias, since in into.items()
        if courses[alias].gave.get(since)
    )
    yield from broken("I7", "a person was handed off anew whose merged lead had an owner", anew)


def _contents(oracle: Oracle, courses: Courses) -> Iterator[Violation]:
    handoffs = [(name, turn) for name in courses for turn in oracle.leads[name].handoffs]
    wrong_ids = (
        f"{name}: {turn.data['handoff_id']}"
        for name, turn in handoffs
        if turn.data["handoff_id"] != derived("handoff", name, turn.data["episode"])
    )
    yield from broken("I7", "a handoff's id does not follow from lead and episode", wrong_ids)
    wrong_intents = (
        name for name, turn in handoffs if turn.data["intent"]["level"] not in oracle.intents(name, turn.qualified_at)
    )
    yield from broken("I7", "an intent is not what the lead asked for", wrong_intents)
    taken = ((name, turn) for name, turn in handoffs if turn.taken_from)
    foreign = (f"{name}: {turn.id}" for name, turn in taken if not _was_of(oracle, turn))
    yield from broken("I7", "an episode was taken over that the merged lead did not have", foreign)


def _was_of(oracle: Oracle, turn: Turn) -> bool:
    """Whether the merged lead had been handed off so, to the same owner."""
    names = ("owner", "qualified_at", "intent")
    same = [turn.data["alias_episode"], *(turn.data[name] for name in names)]
    given = oracle.leads[turn.data["alias"]].handoffs
    return same in [[each.data["episode"], *(each.data[name] for name in names)] for each in given]


def _merged(oracle: Oracle, courses: Courses) -> Iterator[Violation]:
    """Of leads that are another one in the end."""
    survivors = {alias: lead for kind, alias, lead in oracle.aliases.latest() if kind == "lead.merged"}
    gave = {alias: [*courses[alias].gave.values()][-1:] for alias in survivors}
    dropped = (alias for alias, lead in survivors.items() if any(gave[alias]) and courses[lead].open is None)
    yield from broken("I7", "the promise of a merged lead is nobody's", dropped)
    lost = (
        f"{alias}: {identity}"
        for alias, lead in survivors.items()
        if alias not in oracle.aliases.unmerged
        for given in filter(None, gave[alias])
        for identity, stop in oracle.leads[alias].stops.items()
        if stop.means
        and stop.time >= given.qualified_at - DISORDER
        and identity not in oracle.leads[lead].passed[alias]
    )
    yield from broken("I3", "what sales did about a merged lead did not come to its person", lost)
    strays = (
        f"{name}: {identity} via {via}"
        for name, lead in [*oracle.leads.items()]
        for via, passed in lead.passed.items()
        for identity in passed
        if name not in oracle.aliases.leads(via) or identity not in oracle.leads[via].stops
    )
    yield from broken("I3", "sales activities came to a lead that nobody told of its aliases", strays)
