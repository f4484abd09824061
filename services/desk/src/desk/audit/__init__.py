"""The auditor: recomputes from the raw records what must be in the database and on the topics, and reports differences.

It shares no code with what it audits, and only reads.
"""

from desk.audit.auditor import audit
from desk.audit.report import Invariant, Report

__all__ = ["Invariant", "Report", "audit"]
