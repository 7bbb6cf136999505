"""Law profiles: what a jurisdiction's law and recording rules ask of a narrative, as data.

A profile says nothing about a person's guilt or risk. Each rule in it carries its source.
"""

from stalkflag.law.profile import Profile
from stalkflag.law.schema import DEFAULT, load_profile, shipped

__all__ = ["DEFAULT", "Profile", "load_profile", "shipped"]
