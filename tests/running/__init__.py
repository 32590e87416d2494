"""How a test run is put together: its tiers, the servers behind some of them, and what it says at the end."""
