"""What a merged lead answers its survivor: the episode that was open, and what sales has done in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC
from itertools import chain

from router.rules.lead import Episode, Merging
from router.rules.stage import DISORDER, SOURCE
from schemas.envelope import Fact
from schemas.handoffs import Done
from schemas.identity import derived_id
from schemas.merging import Absorbed, AbsorbedEpisode, Awaited, LeadAbsorbed
from schemas.sales import SalesActivity, SalesContacted, name_of

MOST_DONE = 100
"""Most sales activities of an episode that go with it: the latest."""
MOST_THROUGH = 20
"""Most merged leads, the latest, of which an episode says that it came through them."""


def answer(fact: Fact, episode: AbsorbedEpisode | None = None, awaited: Sequence[Merging] = ()) -> LeadAbsorbed:
    """What the alias of this merge tells the survivor; answers `awaited` by the alias will be forwarded to it."""
    merge = fact.event.data
    awaits = tuple(Awaited(alias=each.alias, merged_at=each.at) for each in awaited)
    return LeadAbsorbed(
        id=derived_id("absorbed", merge.alias, merge.lead, fact.time.astimezone(UTC).isoformat()),
        source=SOURCE,
        subject=merge.lead,
        time=fact.time,
        finaltime=True,
        data=Absorbed(alias=merge.alias, merged_at=fact.time, episode=episode, awaits=awaits or None),
    )


def open_episode(episode: Episode, facts: Sequence[Fact]) -> AbsorbedEpisode:
    """The open episode with what sales has done in it, also about the merged lead that it was taken over from."""
    since = episode.qualification.qualified_at - DISORDER
    before = (fact.event.data for fact in facts if isinstance(fact.event, LeadAbsorbed))
    taken = [each.episode.done for each in before if each.alias == episode.inherited and each.episode is not None]
    done = [
        Done(
            time=fact.time,
            source=fact.event.source,
            id=fact.event.id,
            activity=name_of(type(fact.event)),
            reason=getattr(fact.event.data, "reason", None),
        )
        for fact in sorted(facts, key=lambda fact: fact.order)
        if isinstance(fact.event, SalesActivity)
        and fact.time >= since
        and episode.number_of(fact.event.via, fact.event.data.episode) in (None, episode.number)
        and (not isinstance(fact.event, SalesContacted) or (fact.event.data.human and fact.event.data.outbound))
    ]
    return AbsorbedEpisode(
        qualification=episode.qualification,
        owner=episode.owner,
        handed_off_at=episode.handed_off_at,
        targets=episode.targets,
        done=tuple(_each_once(chain(*taken, done))[-MOST_DONE:]),
        through=(() if episode.inherited is None else (episode.inherited, *episode.through))[:MOST_THROUGH],
    )


def _each_once(done: Iterable[Done]) -> list[Done]:
    """By their times."""
    return sorted({(each.source, each.id): each for each in done}.values(), key=lambda each: (each.time, each.id))
