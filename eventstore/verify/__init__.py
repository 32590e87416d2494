"""Looks at what is stored and says what is not as it must be; changes nothing."""

from eventstore.verify.finding import Finding, FindingKind, Severity

__all__ = ["Finding", "FindingKind", "Severity"]
