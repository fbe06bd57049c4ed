"""Calls of a SIP stack that is not ours (PJSIP), through the daemon: `make interop`."""
