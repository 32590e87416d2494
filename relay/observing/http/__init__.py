"""Health and metrics of a relay process over HTTP."""
