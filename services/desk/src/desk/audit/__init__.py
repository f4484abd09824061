"""The auditor: recomputes from the raw records what must be in the database and on the topics, and says what is not.

It shares no code with what it audits, and reads only.
"""

from desk.audit.auditor import audit
from desk.audit.report import Invariant, Report

__all__ = ["Invariant", "Report", "audit"]
