"""RFC 7865 metadata: the document's model, making, writing, reading, checking it."""
