"""What others report about a call: the AI's API and the platform's report; and the triggers that
make a platform call.
"""
