"""The Siprec resource: one more copy of a live call, asked for by name, stopped by name."""
