"""What this house claims of its speed, measured: `make bench`. Nothing else imports this."""
