"""What several tiers of tests need: servers, processes, a proxy that can go deaf, and waiting with a deadline."""
