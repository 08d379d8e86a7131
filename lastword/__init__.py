"""The work itself: newest post in, chat status out. No Prefect in here."""
