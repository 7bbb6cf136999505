"""The pattern library: packs of rules that a crime-recording expert can read and change.

What runs them over a document needs spaCy and is imported from ``stalkflag.rules.engine``.
"""

from stalkflag.rules.schema import CATEGORIES, Rule, RuleSet, load_packs

__all__ = ["CATEGORIES", "Rule", "RuleSet", "load_packs"]
