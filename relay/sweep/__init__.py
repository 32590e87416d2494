"""The sweep: the page source that finds whatever the feed did not say, under a lease of its own."""
