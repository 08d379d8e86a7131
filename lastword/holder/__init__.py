"""The holder: a service that keeps XMPP sessions open, so that statuses stay up between runs."""
