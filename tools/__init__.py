"""Programs that measure and test the harness itself. The wheel does not hold them."""
