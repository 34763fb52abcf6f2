from harness.integrations import own_row

own_row("OWN-BREAKS", "A scenario with a mistake in it", required_findings={})
