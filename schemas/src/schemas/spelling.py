"""The spelling of identifiers: one for each mailbox and id, and none for what identifies nobody.

Two rules each. The strict one (`canonical_email`, `plain_identifier`) is for what a sender says. The one
called `as_stored` is for reading events. It accepts whatever any version has written, so that no stored fact becomes
unreadable, and changes nothing that a lead's id was made of.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from email_validator import EmailNotValidError, validate_email

LONGEST_EMAIL = 254
LONGEST_FIELD = 1024
"""Characters of the longest text that is searched for an address: one with a display name."""
LONGEST_IDENTIFIER = 255

JUNK = frozenset(
    {
        *("", "0", "-1", "null", "undefined", "none", "nil", "nan", "guest", "anonymous", "unknown", "true", "false"),
        *("[object object]", "00000000-0000-0000-0000-000000000000"),
    }
)
"""Identifiers that no version has taken: taken literally they would merge everyone."""

WHYS: Final = {
    "no_address": "not an e-mail address, or more than one",
    "nobody": "identifies nobody: null, guest, zeros, an unfilled template or the like",
    "lost_digits": "a number with a fraction, or from 2^53 on",
    "lost_characters": "has U+FFFD, which stands for a character that was lost on the way",
    "unprintable": "is longer than 255 characters or has control characters",
    "no_text": "neither a text nor a number",
    "unknown_kind": "of a kind that Baton has not",
}
"""Every reason for dropping an identifier."""

_PLAIN = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
    r"(?:(?![a-z0-9-]{64})[a-z0-9]+(?:-[a-z0-9]+)*\.)+(?![a-z0-9-]{64})[a-z0-9]+(?:-[a-z0-9]+)*",
    re.ASCII | re.IGNORECASE,
)
"""ASCII addresses without Punycode, a subset of what the library accepts; it takes 20 times as long for these."""
_SUFFIX = ".x"
"""Put behind a domain for the library, which refuses special-use domains (.local, .test) by a list of the process."""
_MAILTO = re.compile(r"mailto:", re.IGNORECASE)

_LOST = "\ufffd"
"""Two identifiers may have become one by it."""
_WRAPPING = " \"'`<>()[]{}"
_NOBODY = JUNK | frozenset(
    {
        *("na", "n/a", "#n/a", "n.a.", "\\n", "unset", "empty", "blank", "anon", "nobody", "visitor", "optout"),
        *("anonymous user", "anonymoususer", "anonymous_user", "guest user", "guestuser", "guest_user", "unknown user"),
        *("not_authenticated", "not authenticated", "notauthenticated", "not set", "not_set", "no_id", "deleted"),
        *("id", "user_id", "userid", "anonymous_id", "anonymousid", "distinct_id", "distinctid", "email", "user.id"),
        *("object object", "object null", "object undefined", "object promise", "inf", "infinity", "-infinity", "-1.0"),
        *("undefined undefined", "null null", "9774d56d682e549c"),  # the last one: the id of a whole series of phones
    }
)
_NOBODY_IN_FORM = re.compile(
    r"(?:0x)?[0 -/:-@\[-`{-~]*"  # zeros and punctuation
    r"|([0-9a-fx])(?:-?\1){31}"  # a UUID of one digit
    r"|.*(?:\{\{|\$\{|<%|\*\||%!\w\().*",  # a template that was not filled in
    re.DOTALL | re.IGNORECASE,
)


class Unusable(ValueError):  # noqa: N818 - a verdict, not a fault
    """Not an identifier; `why` is a word of WHYS."""

    def __init__(self, why: str) -> None:
        super().__init__(WHYS[why])
        self.why = why


def given(value: object) -> object | None:
    """The value, a text without surrounding blanks; None where it is absent: null, missing, blank.

    The only definition of "absent", for every field that a sender fills in.
    """
    return value.strip() or None if isinstance(value, str) else value


def canonical_email(text: str) -> str:
    """The one spelling of the address in the text. Raises Unusable where that is not exactly one address.

    Taken off: blanks, `mailto:`, a display name, angle brackets, a trailing dot. The local part is lower-cased, in NFC,
    the domain in ASCII (IDNA), in lower case; plus tags and dots stay.
    """
    text = text.strip()
    found = text.lower() if _is_plain(text) else _read(text) if len(text) <= LONGEST_FIELD else None
    if found is None:
        raise Unusable("no_address")
    return found


def readable_email(text: str) -> str | None:
    """The one spelling of the address in the text; None where that is not exactly one address."""
    try:
        return canonical_email(text)
    except Unusable:
        return None


def plain_identifier(text: str) -> str:
    """A user id or anonymous id, trimmed, in NFC. Raises Unusable."""
    text = unicodedata.normalize("NFC", text).strip()
    if not 0 < len(text) <= LONGEST_IDENTIFIER or not text.isprintable():
        raise Unusable("unprintable" if text else "nobody")
    if _LOST in text:
        raise Unusable("lost_characters")
    if text.lower().strip(_WRAPPING) in _NOBODY or _NOBODY_IN_FORM.fullmatch(text):
        raise Unusable("nobody")
    return text


def email_as_stored(email: str) -> str:
    """The address as every version has read it: NFC, trimmed, lower-cased. Raises ValueError where none took it."""
    email = unicodedata.normalize("NFC", email).strip().lower()
    name, _, domain = email.rpartition("@")
    if not name or "." not in domain.strip(".") or len(email) > LONGEST_EMAIL:
        raise ValueError("not an e-mail address")
    if " " in email or not email.isprintable():
        raise ValueError("not an e-mail address")
    return email


def identifier_as_stored(identifier: str) -> str:
    """The identifier, trimmed. Raises ValueError for what no version took: JUNK, control characters."""
    identifier = unicodedata.normalize("NFC", identifier).strip()
    if identifier.lower() in JUNK:
        raise ValueError("identifies nobody")
    if len(identifier) > LONGEST_IDENTIFIER or not identifier.isprintable():
        raise ValueError("is longer than 255 characters or has control characters")
    return identifier


def _is_plain(text: str) -> bool:
    return len(text) <= LONGEST_EMAIL and _PLAIN.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _read(text: str) -> str | None:
    """The address of a text that may have a name before it, in brackets; None where that is not exactly one."""
    name, bracket, rest = text.removesuffix(".").rpartition("<")
    if not bracket:
        return _bare(text)
    if not rest.endswith(">"):
        return None
    address = _bare(rest[:-1])
    return None if "@" in name and _bare(name) != address else address


def _bare(text: str) -> str | None:
    """The address of a text without brackets, by the library."""
    text = text.strip()
    if uri := _MAILTO.match(text):
        text = unquote(text[uri.end() :].partition("?")[0]).strip()
    text = text.removesuffix(".")
    try:
        # no look-up: whether mail arrives is none of our business
        read = validate_email(text + _SUFFIX, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return None
    email = f"{read.local_part.lower()}@{read.ascii_domain.removesuffix(_SUFFIX)}"
    try:
        return email if _LOST not in email and email_as_stored(email) == email else None
    except ValueError:
        return None
