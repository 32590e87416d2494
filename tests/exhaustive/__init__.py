"""Small cases, all of them: every order of a few steps, where the simulation draws some."""
