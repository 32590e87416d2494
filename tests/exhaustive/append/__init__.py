"""Appends of two writers to one aggregate, with every call's way lost in every way."""
