"""The four transaction machines of RFC 3261 17 as corrected by RFC 6026: bytes and time in, outcomes out."""
