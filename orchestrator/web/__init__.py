"""The face for programs on the other end of HTTP; what it needs is an extra, so nothing else imports it."""
