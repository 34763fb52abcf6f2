"""In the wheel: copies of the top-level folders that a user needs. In a checkout there is nothing here (:mod:`harness.resources`)."""
