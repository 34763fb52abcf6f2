"""What the other side says of the call: the AI's API, the platform's report of its calls, and triggers that make a platform call."""
