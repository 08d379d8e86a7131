"""What runs the flow: Prefect's server and worker, and their profile."""
