"""Calls in the platform's shape: those that go on, and for a while those that have ended."""
