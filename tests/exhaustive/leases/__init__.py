"""Leases: workers that look, renew, take and hand over in every order, while time passes and replies are lost."""
