"""The search index: Elasticsearch behind a port, one index a month."""
