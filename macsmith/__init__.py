"""Macsmith: number formats to MAC hardware, checked and priced."""
