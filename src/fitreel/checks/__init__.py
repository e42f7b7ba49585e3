"""The checks of what comes from outside: text, URLs, files, who owns a directory."""
