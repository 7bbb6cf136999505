"""The audit: counts and a page over scored reports, samples to review, and what reviews estimate."""
