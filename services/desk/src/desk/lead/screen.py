"""Formats a lead for one screen: what each of the three services keeps of it, in the order of the relay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from desk.lead.clocks import Row
from desk.lead.explanation import WHY, Explanation, judged_by, second, standing, tell_missing
from desk.lead.person import Person, tell, tell_found
from desk.lead.standing import Overview as Standing
from desk.lead.standing import tell_refused, tell_stage
from desk.policy.wording import counted, number


@dataclass(frozen=True, slots=True)
class Screen:
    """One lead. `score` is None where the scorer does not know it, `standing` where the router does not."""

    lead_id: str
    score: Explanation | None
    standing: Standing | None
    clocks: tuple[Row, ...]
    person: Person | None = None

    @property
    def known(self) -> bool:
        """Whether any service knows the lead."""
        return self.score is not None or self.standing is not None or bool(self.clocks)


def lines(screen: Screen) -> list[str]:
    """Text lines; instants are UTC."""
    found = [f"Lead      {_who(screen)}", *_names(screen), *_conditions(screen)]
    found += _score(screen.score) if screen.score else ["Score     none: no engagement and no description has come"]
    found += (
        tell_stage(screen.standing, alone=False)
        if screen.standing
        else ["Stage     none: the router knows no score of it yet"]
    )
    found += _clocks(screen)
    found += [f"Dropped   {text}" for text in _dropped(screen)]
    return found + (tell_refused(screen.standing) if screen.standing else [])


def _who(screen: Screen) -> str:
    name = screen.standing and screen.standing.name
    email = (screen.standing and screen.standing.email) or (screen.score and screen.score.email)
    who = f"{name} <{email}>" if name and email else name or email
    return f"{who}, {screen.lead_id}" if who else screen.lead_id


def _names(screen: Screen) -> Iterator[str]:
    for text in tell_found(screen.person) if screen.person else ():
        yield f"          {text}"
    for place, text in enumerate(tell(screen.score.known_as) if screen.score else ()):
        yield f"{'' if place else 'Names':10}{text}"


def _conditions(screen: Screen) -> Iterator[str]:
    """Whether the lead is suppressed or erased."""
    known = [part for part in (screen.score, screen.standing) if part is not None]
    if suppressed := min((part.suppressed for part in known if part.suppressed), default=None):
        yield f"Suppressed since {second(suppressed)}: nobody may approach the lead"
    if erased := next((part.erased for part in known if part.erased), None):
        yield f"Erased    {second(erased.at)}: nothing more is kept of the lead"


def _score(score: Explanation) -> Iterator[str]:
    yield f"Score     {standing(score)}"
    yield f"          policy {judged_by(score)}"
    width = max((len(line.rule) for line in score.lines), default=0)
    for line in score.lines:
        why = line.cut.replace("_", " ") if line.cut else counted(len(line.events), "event")
        yield f"  {number(line.points):>6}  {line.rule:{width}}  since {second(line.since)}, {why}"
    if score.stored_agrees is False:
        yield "          NOT the stored score: this needs a person (baton explain)"
    for place, text in enumerate(tell_missing(score)):
        yield f"{'' if place else 'Missing':10}{text.strip() if not place else text}"


def _clocks(screen: Screen) -> Iterator[str]:
    if not screen.clocks:
        yield "Clocks    none"
    for row in screen.clocks:
        left = f", {row.time_left}" if row.time_left != "-" else ""
        owner = f", {row.owner}" if row.owner else ""
        yield f"Clock     {row.clock:<6} {row.state:<9} due {second(row.due)}{left}{owner}"


def _dropped(screen: Screen) -> Iterator[str]:
    for reason, count in sorted((screen.score.dropped if screen.score else {}).items()):
        yield f"{count} of its events as {reason}: {WHY[reason]}"
    for reason, count in sorted((screen.standing.dropped if screen.standing else {}).items()):
        yield f"{count} scores and sales activities as {reason}"
