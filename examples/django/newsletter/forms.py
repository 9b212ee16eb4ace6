from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

WRITE = "Write it as name@domain.org, please."
CHOOSE = "Choose a CSV file with an address at the start of each line."
SPLIT = "This file is too large. Up to one megabyte can be imported at a time: split the file."


class SignUpForm(forms.Form):
    address = forms.EmailField(
        label="Your email address",
        max_length=254,
        error_messages={"required": WRITE, "invalid": WRITE, "max_length": WRITE},
        widget=forms.EmailInput({"autocomplete": "email", "placeholder": "name@domain.org"}),
    )


class ImportForm(forms.Form):
    addresses = forms.FileField(
        label="File of addresses",
        error_messages={"required": CHOOSE, "invalid": CHOOSE, "empty": CHOOSE},
        widget=forms.FileInput({"accept": ".csv,text/csv,text/plain"}),
    )

    def clean_addresses(self):
        """Return the text of the file."""
        file = self.cleaned_data["addresses"]
        if file.size > settings.LARGEST_IMPORT:
            raise ValidationError(SPLIT, code="too_large")
        text = file.read().decode("utf-8-sig", "replace")
        if "@" not in text:
            raise ValidationError(CHOOSE)
        return text
