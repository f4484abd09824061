"""A draft becomes the next version of the live policy's folder, whole or not at all."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree

import pytest
from typer.testing import CliRunner, Result

from chassis.policy import Policies, PolicyError, load_policies
from desk.__main__ import main
from desk.policy.candidate import candidate_of, put
from schemas.policy import Policy

SHIPPED = Path(__file__).parents[3] / "deploy" / "policies"
BALANCED = SHIPPED / "balanced" / "1.yaml"
DATE = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture
def live(tmp_path: Path) -> Policies[Policy]:
    return load_policies(copytree(SHIPPED / "classic-50", tmp_path / "classic-50"), Policy)


def typed(*words: object) -> Result:
    return CliRunner().invoke(main, ["policy", "apply", *map(str, words)])


def test_the_header_becomes_the_folder_s_and_the_rest_stays_as_it_was_written(live: Policies[Policy]) -> None:
    candidate = candidate_of(BALANCED, live, DATE)
    put(candidate)
    [first, second] = load_policies(live.folder, Policy).versions
    assert (first, second.ref.name, second.version, second.effective_from) == (live.versions[0], "classic-50", 2, DATE)
    draft, written = BALANCED.read_text().splitlines(), (live.folder / "2.yaml").read_text().splitlines()
    assert [line for line in draft if line not in written] == [
        "policy: balanced",
        "version: 1",
        "effective_from: 2026-01-01T00:00:00Z",
    ]
    assert sorted(path.name for path in live.folder.iterdir()) == ["1.yaml", "2.yaml"]


def test_who_comes_second_changes_nothing(live: Policies[Policy]) -> None:
    put(candidate_of(SHIPPED / "strict-70" / "1.yaml", live, DATE))
    before = (live.folder / "2.yaml").read_bytes()
    with pytest.raises(FileExistsError):
        put(candidate_of(BALANCED, live, DATE))
    assert (live.folder / "2.yaml").read_bytes() == before
    assert sorted(path.name for path in live.folder.iterdir()) == ["1.yaml", "2.yaml"]


def test_of_two_at_once_the_one_that_is_told_success_is_in_force(
    live: Policies[Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (candidate_of(SHIPPED / name / "1.yaml", live, DATE) for name in ("strict-70", "balanced"))
    link = Path.hardlink_to

    def linked_while_another_comes_by(new: Path, target: Path) -> None:
        monkeypatch.undo()
        link(new, target)
        with pytest.raises(FileExistsError):
            put(second)

    monkeypatch.setattr(Path, "hardlink_to", linked_while_another_comes_by)
    put(first)
    assert (live.folder / "2.yaml").read_text() == first.text
    assert sorted(path.name for path in live.folder.iterdir()) == ["1.yaml", "2.yaml"]


def test_a_draft_with_a_merge_key_is_no_policy(live: Policies[Policy], tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text(BALANCED.read_text().replace("\nversion: 1\n", "\n<<: {version: 1}\n"))
    with pytest.raises(PolicyError, match=r"draft.yaml:\d+: a merge key"):
        candidate_of(draft, live, DATE)


def test_the_date_is_after_that_of_the_version_before(live: Policies[Policy]) -> None:
    with pytest.raises(PolicyError, match="expected an instant after 2026-01-01"):
        candidate_of(BALANCED, live, live.versions[-1].effective_from)


def test_a_draft_that_is_no_policy_is_told_with_its_line(live: Policies[Policy], tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text(BALANCED.read_text().replace("points: 25", "points: many"))
    with pytest.raises(PolicyError, match=r"draft.yaml:\d+: scoring.rules\[2\].points"):
        candidate_of(draft, live, DATE)


def test_an_instant_that_is_none_or_too_early_is_refused_before_anything_is_read() -> None:
    for instant in ("soon", (datetime.now(UTC) + timedelta(seconds=50)).isoformat()):
        answer = typed(BALANCED, "--at", instant)
        assert (answer.exit_code, "expected an instant" in " ".join(answer.stderr.split())) == (2, True)
