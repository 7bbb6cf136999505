"""The pattern library: packs of rules that a crime-recording expert can read and change."""

from stalkflag.rules.engine import Match, RuleEngine
from stalkflag.rules.schema import CATEGORIES, Rule, RuleSet, load_packs

__all__ = ["CATEGORIES", "Match", "Rule", "RuleEngine", "RuleSet", "load_packs"]
