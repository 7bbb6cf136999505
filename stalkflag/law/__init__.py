"""Law profiles: what a jurisdiction's law and recording rules ask of a narrative, as data.

A profile says nothing about a person's guilt or risk. Each rule in it carries its source.
"""

from stalkflag.law.profile import Profile, load_profile

__all__ = ["Profile", "load_profile"]
