"""The Prefect tasks: choose accounts, sync one account, report the run."""
