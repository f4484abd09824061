"""Rows in which what an alias has done before moves to its lead."""

from typing import Any

from schemas.identity import lead_id_of
from tests.chaos.points.ground import Ground, Somebody
from tests.chaos.points.rows import row
from tests.e2e import people
from tests.until import until

DEVICE = "device-of-{}"


def of_device(who: Somebody, item: dict[str, Any]) -> dict[str, Any]:
    """The call as their device makes it before it knows who they are."""
    unnamed = {name: value for name, value in item.items() if name not in ("userId", "context")}
    return unnamed | {"anonymousId": DEVICE.format(who.email)}


async def moving(ground: Ground, who: Somebody, failpoint: str) -> None:
    """Their device has done two things; then it learns who they are, and the scorer dies over the move."""
    _, *before = people.qualified(who.email)
    device = lead_id_of(anonymous_id=DEVICE.format(who.email))
    assert (await ground.relay.batch([of_device(who, item) for item in before])).status_code == 200

    async def known() -> bool:
        return not await ground.nothing("scorer", "SELECT 1 FROM fact WHERE lead_id = $1 OFFSET 1", device)

    await until(known, "the device to be known")
    identify = people.identified(who.email) | {"anonymousId": DEVICE.format(who.email)}
    async with ground.struck("scorer", failpoint):
        assert (await ground.relay.batch([identify])).status_code == 200


async def landed(ground: Ground, who: Somebody) -> int:
    """How many of the copies of what their device did are on the topic."""
    copies = [event for event in await ground.told("engagements", who) if "via" in event]
    return sum("linked" not in event["type"] for event in copies)


async def effect(ground: Ground, who: Somebody) -> None:
    """Their handoff takes all of it, so the effect is complete once they are handed off."""
    await ground.hears("lead-handoffs", who, "handed_off")
    await ground.effect(who)


@row("a slice decided for another lead, not committed")
async def _(ground: Ground) -> None:
    ada = Somebody()
    await moving(ground, ada, "moving=kill")
    assert await landed(ground, ada) == 0
    await ground.restart("scorer")
    await effect(ground, ada)
    assert await landed(ground, ada) == 2


@row("a slice committed for another lead, the next not begun")
async def _(ground: Ground) -> None:
    ada = Somebody()
    await moving(ground, ada, "moved=kill")
    assert await landed(ground, ada) == 2
    await ground.restart("scorer")
    await effect(ground, ada)
    assert await landed(ground, ada) in (2, 4), "the next owner does not know what was acknowledged"
