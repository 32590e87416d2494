"""The places that take commits. Each is one file behind the port of `relay.destination`; none knows the others."""
