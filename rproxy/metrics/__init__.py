"""Every metric in one table, counted as plain integers and read at scrape time."""
