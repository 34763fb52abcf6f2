collect_ignore = [
    "runs"
]  # scenarios of the run that test_schemas.py starts; they need its deployment
