"""What everything shares: records, the store, Markdown, statistics, errors. Imports no torch and no Inspect."""
