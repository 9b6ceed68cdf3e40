"""The models of everything that crosses a topic, the config file or a webhook."""
