"""Bridges: priced designs as components of tools that map whole networks to accelerators."""
