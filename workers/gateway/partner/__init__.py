"""What partners do over HTTP: hear their events, answer, and have webhooks."""
