"""The pages in Django's admin: what they find, how that is shown, and what can be done there."""
