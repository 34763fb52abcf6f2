"""Call verification harness: proves that calls reach an AI voice agent and come back."""
