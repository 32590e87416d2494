"""Delivery: order, claims, refusals, settling and tables made anew, in every order of their steps."""
