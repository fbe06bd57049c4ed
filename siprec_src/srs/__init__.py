"""The bundled Session Recording Server (RFC 7866 from the SRS's side), for tries and tests."""
