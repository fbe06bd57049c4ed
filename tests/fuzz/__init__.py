"""Coverage-guided fuzzing of everything in Python that reads octets of a peer: `make fuzz`."""
