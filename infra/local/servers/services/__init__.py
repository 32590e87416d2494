"""One module per server: what it needs, how it starts, and how it shows that it is ready."""
