"""Load: SIPp's stock scenarios with media through a daemon, with SIPp as the Session Recording Server."""
