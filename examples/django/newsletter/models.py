import secrets

from django.db import models


class Reader(models.Model):
    address = models.EmailField(unique=True)
    token = models.CharField(
        max_length=43, unique=True, editable=False, default=secrets.token_urlsafe
    )
    since = models.DateTimeField(auto_now_add=True)
    confirmed = models.BooleanField(default=False)

    def __str__(self):
        return self.address
