"""Checks stored data for inconsistencies; changes nothing."""

from eventstore.verify.finding import Finding, FindingKind, Severity

__all__ = ["Finding", "FindingKind", "Severity"]
