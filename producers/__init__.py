"""One folder a provider: its HTTP client, its polling, its fetching for enrichment. A provider is a folder and a registry line."""
