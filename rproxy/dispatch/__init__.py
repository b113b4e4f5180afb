"""From a client's command to the requests that answer it."""
