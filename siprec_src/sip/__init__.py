"""SIP without I/O: parser and writer, transactions, dialogs, the user agent (RFC 3261 and its kin)."""
