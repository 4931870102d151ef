"""Sentences of the curriculum's small grammar in German and English: their words, and three networks that read them."""
