"""What can be wrong with the database, in words for the person who runs it."""


class DatabaseTrouble(Exception):
    """The database cannot be worked with; the message says why, what to do, and no password."""
