"""Measurements of Ares beside its peers and its oracle, each a command that writes its table."""
