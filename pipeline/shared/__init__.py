"""What commands share: options, session, console, note."""
