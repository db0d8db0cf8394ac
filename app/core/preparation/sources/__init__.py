"""Readers: from the files that hospitals have to tables of texts that a mapping takes values from."""
