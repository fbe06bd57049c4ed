"""Our own API: calls, recording sessions and SRSs, as the daemon sees them."""
