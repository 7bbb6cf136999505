"""The recording desk's local web page and its JSON API; ``serve`` starts both."""
