"""What schemas/README.md tells producers is true."""

import json
import re
from typing import Any

import pytest

from schemas.envelope import Decoder
from schemas.export import FOLDER
from schemas.identity import NAMESPACE, lead_id_of
from schemas.topics import TOPICS

README = (FOLDER / "README.md").read_text()


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return str(text)


def test_its_record_is_an_event_of_the_lead_it_names() -> None:
    event = Decoder(*TOPICS["engagements"].events).event(block("json").encode())
    assert event.subject == lead_id_of(email=event.data.identifiers.email)
    assert json.loads(block("json"))["data"].keys() <= type(event.data).model_fields.keys()


@pytest.mark.parametrize("email", ["ada.nowak@example.com", " Ada.Nowak@Example.COM ", "zoe\u0308@example.com"])
def test_its_python_function_gives_the_leads_id(email: str) -> None:
    names: dict[str, Any] = {}
    exec(block("python"), names)
    assert names["lead_id"](email) == lead_id_of(email=email)


@pytest.mark.parametrize("language", ["javascript", "java"])
def test_its_other_functions_use_the_same_name_space(language: str) -> None:
    assert NAMESPACE.hex in block(language)
    assert lead_id_of(email="ada.nowak@example.com") in README


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert len(links) > 5
    assert [link for link in links if not (FOLDER / link).exists()] == []
