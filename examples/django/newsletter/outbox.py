"""Mails that were kept as files, since there is no mail server."""

from email import message_from_bytes, policy
from pathlib import Path

from django.conf import settings

AFTER_EACH = b"\n" + b"-" * 79 + b"\n"  # as Django's file backend writes it


def latest_mails():
    for file in sorted(Path(settings.EMAIL_FILE_PATH).glob("*.log"), reverse=True)[:20]:
        for content in file.read_bytes().split(AFTER_EACH)[:-1]:
            mail = message_from_bytes(content, policy=policy.default)
            yield {"to": mail["To"], "subject": mail["Subject"], "text": mail.get_content()}
