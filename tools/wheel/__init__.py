"""The wheel and the source archive, built and tried as a user would (``make test-wheel``)."""
