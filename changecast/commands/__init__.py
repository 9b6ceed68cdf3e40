"""One module a command, each with a click command named `command`; `changecast/cli.py` lists and loads them."""
