"""Metadata extraction: crawl a SQL source where it lives, keep the result, and hand it to Atlan when asked."""
