"""The HTTP API: resources in the shape of Twilio's, our own below ``/v1``, callbacks, voice URLs."""
