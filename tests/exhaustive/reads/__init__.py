"""Reads over pages: every split of some rows into pages, every range, both directions; followers; the sweep's pages."""
